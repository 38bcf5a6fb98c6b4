"""Clients of the `tinkex` preset over a scripted server, opened for one test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from tests.client.conftest import SESSION, ScriptedServer, config
from tinker_mock.client import (
    AsyncSamplingClient,
    AsyncServiceClient,
    AsyncTrainingClient,
    Clock,
    ManualClock,
)

MODEL = {**SESSION, "create_model": {"model_id": "m", "type": "create_model"}}
SAMPLER = {**SESSION, "create_sampling_session": {"sampling_session_id": "sampler"}}


@asynccontextmanager
async def service(
    server: ScriptedServer, clock: Clock | None = None, **options: Any
) -> AsyncIterator[AsyncServiceClient]:
    """Without a clock of the test's own, time stands still: nothing beats in between."""
    settings = config("tinkex", **options)
    async with AsyncServiceClient(
        settings, clock=clock or ManualClock(), random=Random(1), http=server
    ) as opened:
        yield opened


@asynccontextmanager
async def training(server: ScriptedServer) -> AsyncIterator[AsyncTrainingClient]:
    async with service(server) as opened:
        yield await opened.create_lora_training_client("base")


@asynccontextmanager
async def sampling(server: ScriptedServer, **options: Any) -> AsyncIterator[AsyncSamplingClient]:
    async with service(server) as opened:
        yield await opened.create_sampling_client("base", **options)
