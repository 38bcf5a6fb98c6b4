"""Saving and loading: submitted to the model's lane."""

from typing import Any

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service import checkpoints, runs, sessions
from tinker_mock.server.service.submission import submit_creation, submit_to_run
from tinker_mock.server.wire.exchange import Exchange


def save_weights(exchange: Exchange) -> dict[str, Any]:
    """Weights with optimizer state."""
    return _submit(exchange, "save_weights")


def save_weights_for_sampler(exchange: Exchange) -> dict[str, Any]:
    """Weights to sample from."""
    return _submit(exchange, "save_weights_for_sampler")


def save_weights_external(exchange: Exchange) -> dict[str, Any]:
    """An adapter to download."""
    return _submit(exchange, "save_weights_external")


def load_weights(exchange: Exchange) -> dict[str, Any]:
    """Load into a fresh model, or create one from a checkpoint."""
    body = exchange.body
    if body.get("model_id") is None:
        return _create_by_loading(exchange)
    run = _run(exchange)
    seq_id = body.get("seq_id")
    lane = exchange.simulator.promises.lanes.get(f"model:{run.id}")
    used = lane is not None and any(number != 1 for number in lane.submitted)
    if (seq_id or 1) != 1 or (not seq_id and used):
        raise BadRequest(
            f"seq_id: LoadWeights is not permitted with seq_id {seq_id}",
            pointer="/seq_id",
            rule="weights are loaded as a model's first request (seq_id 1)",
            fix="create a new model and load the checkpoint as its first request",
            requirement="weights/load/only-first",
        )
    _check_source(exchange)
    return submit_to_run(exchange, run, "load_weights")


def _create_by_loading(exchange: Exchange) -> dict[str, Any]:
    simulator, body = exchange.simulator, exchange.body
    session = sessions.active_session(simulator, exchange.owner, body["session_id"])
    number = body["model_seq_id"]
    known = runs.same_creation(simulator, session, number, exchange.fingerprint)
    if known is not None:
        return {"request_id": known.request_id, "model_id": known.model_id}
    source = _check_source(exchange)
    base_model = body.get("base_model") or source.base_model
    simulator.catalog.get(base_model)
    optimizer = source.optimizer_config if body["optimizer"] else body.get("optimizer_config")
    lora = {
        "rank": source.rank,
        "train_attn": source.train_attn,
        "train_mlp": source.train_mlp,
        "train_unembed": source.train_unembed,
    }
    told = {**body, "lora_config": lora, "optimizer_config": optimizer}
    run = runs.new_run(simulator, session, number, base_model, told)
    return submit_creation(exchange, run, "load_weights")


def _check_source(exchange: Exchange) -> Any:
    body = exchange.body
    token = body.get("weights_access_token")
    return checkpoints.readable(
        exchange.simulator, exchange.owner, body["path"], access_token=token
    )


def _submit(exchange: Exchange, operation: str) -> dict[str, Any]:
    return submit_to_run(exchange, _run(exchange), operation)


def _run(exchange: Exchange) -> Any:
    run = runs.get_run(exchange.simulator, exchange.owner, exchange.body["model_id"])
    sessions.active_session(exchange.simulator, exchange.owner, run.session_id)
    return run
