"""Models under training."""

from typing import Any

from tinker_mock.server.service import offer, runs, sessions
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.submission import Submission, submit, submit_creation
from tinker_mock.server.state.promise import model_lane
from tinker_mock.server.tokenizers import folder_of
from tinker_mock.server.wire.exchange import Exchange

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Clients of these addresses see this machine's disk."""


def create_model(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Create a training run; the promise resolves once its trainer is ready."""
    body = exchange.body
    session = sessions.active_session(backend, exchange.owner, body["session_id"])
    number = body["model_seq_id"]
    known = runs.same_creation(backend, session, number, exchange.fingerprint)
    if known is not None:
        return {"request_id": known.request_id, "model_id": known.model_id}
    offer.trainable(backend, body["base_model"])
    run = runs.new_run(backend, session, number, body["base_model"], body)
    return submit_creation(backend, run, "create_model", body, exchange.fingerprint)


async def get_info(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """What a training run is made of, and where its tokenizer is to be loaded from."""
    run = runs.get_run(backend, exchange.owner, exchange.body["model_id"])
    model = backend.catalog.get(run.base_model)
    folder = None
    if backend.settings.host in LOOPBACK:
        folder = await backend.compute(folder_of, model)
    data = {
        "arch": model.arch,
        "model_name": run.base_model,
        "tokenizer_id": folder or model.tokenizer_id,
    }
    return {
        "type": "get_info",
        "model_id": run.id,
        "model_data": data,
        "model_name": run.base_model,
        "is_lora": True,
        "lora_rank": run.rank,
        "optimizer_config": run.optimizer_config,
    }


def unload_model(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Drop a run's weights from memory, after what was submitted before."""
    run = runs.get_run(backend, exchange.owner, exchange.body["model_id"])
    submission = Submission(
        operation="unload_model",
        lane_id=model_lane(run.id),
        ordered=True,
        seq_id=None,
        payload=exchange.body,
        session_id=run.session_id,
        model_id=run.id,
        base_model=run.base_model,
    )
    promise = submit(backend, exchange.owner, exchange.fingerprint, submission)
    return {"request_id": promise.request_id, "model_id": run.id}
