"""`AsyncServiceClient`: where everything begins."""

import logging
from collections.abc import Mapping
from random import Random
from typing import Any, TypeVar

import httpx

from tinker_mock.client.clock import Clock
from tinker_mock.client.config import ClientConfig
from tinker_mock.client.errors import Category, TinkerError, ValidationError, invalid
from tinker_mock.client.futures.promises import Promises
from tinker_mock.client.http.call import Call
from tinker_mock.client.rest.client import AsyncRestClient
from tinker_mock.client.sampling.client import AsyncSamplingClient
from tinker_mock.client.sampling.opening import join_sampling_session, open_sampling_client
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.session.heartbeat import HeartbeatSettings
from tinker_mock.client.telemetry.reporter import attach_telemetry
from tinker_mock.client.training.client import AsyncTrainingClient
from tinker_mock.client.types.json import decode, given
from tinker_mock.client.types.parameters import LoraConfig
from tinker_mock.client.types.records import ServerCapabilities, WeightsInfo
from tinker_mock.client.types.results import CreateModelResponse, LoadWeightsResponse
from tinker_mock.client.watch.events import EventHub

T = TypeVar("T")

_LOG_LEVELS = {"debug": "DEBUG", "info": "INFO", "warn": "WARNING", "error": "ERROR"}


class AsyncServiceClient:
    """Creates training, sampling and REST clients. Close it, or use `async with`.

    Settings as in `ClientConfig.resolve`. `clock`, `random`, `http` and `events` are for tests
    and instruments: time, jitter, the httpx transport, and what the client tells about itself.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        events: EventHub | None = None,
        http: httpx.AsyncBaseTransport | None = None,
        heartbeat: HeartbeatSettings | None = None,
        **options: Any,
    ) -> None:
        if config is not None and options:
            raise invalid("pass a ClientConfig or single options, not both")
        self.config = config or ClientConfig.resolve(**options)
        self.connection = Connection(
            self.config, clock=clock, random=random, events=events, http=http, heartbeat=heartbeat
        )
        attach_telemetry(self.connection)
        if self.config.log_level is not None:
            logging.getLogger(__package__).setLevel(_LOG_LEVELS[self.config.log_level])

    async def __aenter__(self) -> "AsyncServiceClient":
        return self

    async def __aexit__(self, failure: type[BaseException] | None, *_: object) -> None:
        await self.close(reason="success" if failure is None else "errored")

    async def close(self, *, reason: str = "success", detail: str | None = None) -> None:
        """Finish the session, stop the heartbeat, close all connections.

        `reason` is success, errored or interrupted. A server that cannot finish sessions, or
        is gone, does not keep the client from closing.
        """
        if self.connection.session_id is not None and self.connection.speaks_protobuf:
            await self.connection.stop_heartbeat()  # a beat after the end would be refused
            path = f"/api/v1/sessions/{self.connection.session_id}/finish"
            body = {"reason": {"type": reason}, "detail": detail}
            call = Call("POST", path, json=body, pool="session", max_retries=0, timeout=10.0)
            try:
                await self.connection.transport.send(call)
            except TinkerError as error:
                self.connection.events.emit("session.finish_failed", error=error)
        await self.connection.close()

    async def get_server_capabilities(self) -> ServerCapabilities:
        """The models the server offers."""
        await self.connection.configure()
        return ServerCapabilities.from_wire(await self._get("/api/v1/get_server_capabilities"))

    async def health(self) -> str:
        """The server's word about itself, `ok` if all is well."""
        return str((await self._get("/api/v1/healthz")).get("status", ""))

    async def create_lora_training_client(
        self,
        base_model: str,
        rank: int = 32,
        *,
        seed: int | None = None,
        train_mlp: bool = True,
        train_attn: bool = True,
        train_unembed: bool = True,
        user_metadata: Mapping[str, str] | None = None,
        optimizer_config: Mapping[str, Any] | None = None,
    ) -> AsyncTrainingClient:
        """A new adapter on a base model. Raises `ValidationError` if nothing is to be trained."""
        lora = LoraConfig(rank, seed, train_mlp, train_attn, train_unembed)
        return await self._create_model(base_model, lora, user_metadata, optimizer_config)

    async def create_training_client_from_state(
        self,
        path: str,
        *,
        optimizer: bool = False,
        user_metadata: Mapping[str, str] | None = None,
        weights_access_token: str | None = None,
    ) -> AsyncTrainingClient:
        """Continue from a checkpoint; with `optimizer`, bit for bit."""
        await self.connection.session()
        access = given(weights_access_token=weights_access_token)
        modern = self.connection.speaks_protobuf
        if modern and self.connection.preset.restore_operation == "load_weights":
            return await self._load_model(path, optimizer, user_metadata, access)
        body = {"tinker_path": path}
        answer = await self.connection.post("/api/v1/weights_info", body, persist=True)
        info = decode(WeightsInfo, answer)
        if not info.is_lora or info.lora_rank is None:
            raise invalid(f"{path} is no LoRA checkpoint; only those can be trained on")
        parts = {
            name: getattr(info, name)
            for name in ("train_mlp", "train_attn", "train_unembed")
            if getattr(info, name) is not None
        }
        lora = LoraConfig(info.lora_rank, **parts)
        client = await self._create_model(info.base_model, lora, user_metadata, None)
        await client.load_state(path, optimizer=optimizer, **access)
        return client

    async def create_training_client_from_state_with_optimizer(
        self, path: str, **options: Any
    ) -> AsyncTrainingClient:
        """As `create_training_client_from_state(path, optimizer=True)`."""
        return await self.create_training_client_from_state(path, optimizer=True, **options)

    async def create_sampling_client(
        self, base_model: str | None = None, model_path: str | None = None, **options: Any
    ) -> AsyncSamplingClient:
        """Sample from a base model or from a checkpoint (`tinker://…/sampler_weights/…`)."""
        return await open_sampling_client(
            self.connection, base_model=base_model, model_path=model_path, **options
        )

    async def join_sampling_session(
        self, sampling_session_id: str, **options: Any
    ) -> AsyncSamplingClient:
        """A sampling client for a session that another process opened."""
        return await join_sampling_session(self.connection, sampling_session_id, **options)

    def create_rest_client(self) -> AsyncRestClient:
        """Runs, checkpoints, sessions; needs no session of its own."""
        return AsyncRestClient(self.connection)

    async def _create_model(
        self,
        base_model: str,
        lora: LoraConfig,
        user_metadata: Mapping[str, str] | None,
        optimizer_config: Mapping[str, Any] | None,
    ) -> AsyncTrainingClient:
        session_id = await self.connection.session()
        body = {
            "session_id": session_id,
            "model_seq_id": next(self.connection.model_numbers),
            "base_model": base_model,
            "user_metadata": user_metadata,
            "lora_config": lora,
            "type": "create_model",
            **given(optimizer_config=optimizer_config),
        }
        created = await self._made("create_model", body, "CreateModel", CreateModelResponse)
        return AsyncTrainingClient(self.connection, created.model_id, base_model=base_model)

    async def _load_model(
        self,
        path: str,
        optimizer: bool,
        user_metadata: Mapping[str, str] | None,
        access: Mapping[str, Any],
    ) -> AsyncTrainingClient:
        """The newest servers make the model and load it in one operation."""
        number = next(self.connection.model_numbers)
        body = {
            "session_id": self.connection.session_id,
            "model_seq_id": number,
            "path": path,
            "optimizer": optimizer,
            "type": "load_weights",
            **given(user_metadata=user_metadata),
            **access,
        }
        loaded = await self._made("load_weights", body, "LoadWeights", LoadWeightsResponse)
        model_id = loaded.model_id or f"{self.connection.session_id}:train:{number}"
        client = AsyncTrainingClient(self.connection, model_id)
        client.base_model = (await client.get_info()).model_data.model_name
        return client

    async def _made(
        self, operation: str, body: Mapping[str, Any], request_type: str, answer: type[T]
    ) -> T:
        """Promise a model and wait for it: no lane exists yet, so there is no turn to take."""
        promises = Promises(self.connection)
        json = self.connection.encode(body)
        call = Call("POST", f"/api/v1/{operation}", json=json, pool="training")
        submitted = await promises.submitted_or_done(call)
        return await promises.outcome(submitted, request_type, answer)

    async def _get(self, path: str) -> Any:
        body = (await self.connection.transport.send(Call("GET", path))).json()
        if not isinstance(body, dict):
            raise ValidationError(f"{path}: not an object", category=Category.SERVER)
        return body
