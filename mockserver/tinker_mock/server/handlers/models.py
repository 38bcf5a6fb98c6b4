"""Models under training, and what is known about weights."""

from typing import Any

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service import checkpoints, copying, runs, sessions
from tinker_mock.server.service.submission import Submission, lane_of, submit, submit_creation
from tinker_mock.server.wire.exchange import Exchange


def create_model(exchange: Exchange) -> dict[str, Any]:
    """Create a training run; the promise resolves once its trainer is ready."""
    simulator, body = exchange.simulator, exchange.body
    session = sessions.active_session(simulator, exchange.owner, body["session_id"])
    number = body["model_seq_id"]
    known = runs.same_creation(simulator, session, number, exchange.fingerprint)
    if known is not None:
        return {"request_id": known.request_id, "model_id": known.model_id}
    model = simulator.catalog.get(body["base_model"])
    if not model.trainable:
        raise BadRequest(
            f"base_model: {model.name!r} cannot be trained",
            pointer="/base_model",
            rule="the model is trainable",
            fix="choose a model that get_server_capabilities lists as trainable",
        )
    run = runs.new_run(simulator, session, number, body["base_model"], body)
    return submit_creation(exchange, run, "create_model")


def get_info(exchange: Exchange) -> dict[str, Any]:
    """What a training run is made of."""
    simulator = exchange.simulator
    run = runs.get_run(simulator, exchange.owner, exchange.body["model_id"])
    model = simulator.catalog.get(run.base_model)
    data = {
        "arch": model.arch,
        "model_name": run.base_model,
        "tokenizer_id": model.tokenizer_id,
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


def unload_model(exchange: Exchange) -> dict[str, Any]:
    """Drop a run's weights from memory, after what was submitted before."""
    run = runs.get_run(exchange.simulator, exchange.owner, exchange.body["model_id"])
    submission = Submission(
        operation="unload_model",
        lane_id=lane_of(run.id),
        ordered=True,
        seq_id=None,
        payload=exchange.body,
        session_id=run.session_id,
        model_id=run.id,
        base_model=run.base_model,
    )
    return {"request_id": submit(exchange, submission).request_id, "model_id": run.id}


def get_weights_info(exchange: Exchange) -> dict[str, Any]:
    """What a checkpoint is made of."""
    path = exchange.body["tinker_path"]
    found = checkpoints.readable(exchange.simulator, exchange.owner, path, "/tinker_path")
    return {
        "base_model": found.base_model,
        "is_lora": True,
        "lora_rank": found.rank,
        "train_unembed": found.train_unembed,
        "train_mlp": found.train_mlp,
        "train_attn": found.train_attn,
        "optimizer_config": found.optimizer_config,
    }


def copy_weights(exchange: Exchange) -> dict[str, Any]:
    """Copy a checkpoint into one of the caller's sessions or projects."""
    token = exchange.headers.get("x-tinker-weights-access-token")
    token = token or exchange.body.get("weights_access_token")
    key = exchange.headers.get("x-idempotency-key", "")
    copy = copying.copy_weights(exchange.simulator, exchange.owner, exchange.body, token, key)
    return {"tinker_path": copy.path}
