"""Saving and loading: submitted to the model's lane. What is known about weights, and copies."""

from typing import Any

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service import (
    checkpoints,
    copying,
    housekeeping,
    links,
    offer,
    runs,
    sessions,
    uploads,
)
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.submission import submit_creation, submit_to_run
from tinker_mock.server.service.times import wire_time
from tinker_mock.server.state.promise import model_lane
from tinker_mock.server.state.records import CheckpointKind
from tinker_mock.server.wire.exchange import Exchange


def save_weights(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Weights with optimizer state."""
    return _save(backend, exchange, "save_weights", "training")


def save_weights_for_sampler(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Weights to sample from."""
    return _save(backend, exchange, "save_weights_for_sampler", "sampler")


def save_weights_external(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """An adapter to download."""
    return _save(backend, exchange, "save_weights_external", "external")


def external_weights_upload_start(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Links to upload an adapter's files to."""
    upload = uploads.start(backend, exchange.owner, exchange.body)
    plain, expires = uploads.links_of(backend, exchange.base_url, upload)
    urls: dict[str, Any] = dict(plain)
    if exchange.dialect.understands("upload_headers"):
        urls = {name: {"url": url, "headers": {}} for name, url in plain.items()}
    return {"upload_id": upload.id, "urls": urls, "expires": wire_time(expires)}


def upload_file(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """The content of one file."""
    query, file_id = exchange.query, exchange.path_params["file_id"]
    links.check(backend, file_id, query.get("expires", 0), query.get("signature", ""))
    uploads.put_file(backend, file_id, exchange.raw_body)
    return {}


async def external_weights_upload_finish(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """A checkpoint of what was uploaded."""
    path = await uploads.finish(backend, exchange.owner, exchange.body["upload_id"])
    return {"tinker_path": path}


def load_weights(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Load into a fresh model, or create one from a checkpoint."""
    body = exchange.body
    if body.get("model_id") is None:
        return _create_by_loading(backend, exchange)
    run = _run(backend, exchange)
    seq_id = body.get("seq_id")
    lane = backend.promises.lanes.get(model_lane(run.id))
    used = lane is not None and lane.highest > 1
    if (seq_id or 1) != 1 or (not seq_id and used):
        raise BadRequest(
            f"seq_id: LoadWeights is not permitted with seq_id {seq_id}",
            pointer="/seq_id",
            rule="weights are loaded as a model's first request (seq_id 1)",
            fix="create a new model and load the checkpoint as its first request",
            requirement="weights/load/only-first",
        )
    _check_source(backend, exchange)
    return submit_to_run(backend, run, "load_weights", body, exchange.fingerprint)


def _create_by_loading(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    body = exchange.body
    session = sessions.active_session(backend, exchange.owner, body["session_id"])
    number = body["model_seq_id"]
    known = runs.same_creation(backend, session, number, exchange.fingerprint)
    if known is not None:
        return {"request_id": known.request_id, "model_id": known.model_id}
    source = _check_source(backend, exchange)
    base_model = body.get("base_model") or source.base_model
    offer.loadable(backend, source, base_model)
    optimizer = source.optimizer_config if body["optimizer"] else body.get("optimizer_config")
    lora = {
        "rank": source.rank,
        "train_attn": source.train_attn,
        "train_mlp": source.train_mlp,
        "train_unembed": source.train_unembed,
    }
    like_source = {**body, "lora_config": lora, "optimizer_config": optimizer}
    run = runs.new_run(backend, session, number, base_model, like_source)
    return submit_creation(backend, run, "load_weights", body, exchange.fingerprint)


def _check_source(backend: Backend, exchange: Exchange) -> Any:
    body = exchange.body
    token = body.get("weights_access_token")
    found = checkpoints.readable(backend, exchange.owner, body["path"], access_token=token)
    return offer.for_training(found)


def _save(
    backend: Backend, exchange: Exchange, operation: str, kind: CheckpointKind
) -> dict[str, Any]:
    body, run = exchange.body, _run(backend, exchange)
    name, lane_id = body.get("path"), model_lane(run.id)
    lane = backend.promises.lanes.get(lane_id)
    repeated = lane is not None and body.get("seq_id") in lane.submitted
    overwrites = kind == "training" and body.get("overwrite", False)
    if name and not repeated and not overwrites:
        waiting = backend.promises.open_in(lane_id)
        if any(one.operation == operation and one.payload.get("path") == name for one in waiting):
            raise checkpoints.name_taken(run.id, kind, name)
        checkpoints.check_name(backend, run.id, kind, name)
    return submit_to_run(backend, run, operation, body, exchange.fingerprint)


def _run(backend: Backend, exchange: Exchange) -> Any:
    run = runs.get_run(backend, exchange.owner, exchange.body["model_id"])
    sessions.active_session(backend, exchange.owner, run.session_id)
    return run


def get_weights_info(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """What a checkpoint is made of."""
    path = exchange.body["tinker_path"]
    found = checkpoints.readable(backend, exchange.owner, path, "/tinker_path")
    return {
        "base_model": found.base_model,
        "is_lora": True,
        "lora_rank": found.rank,
        "train_unembed": found.train_unembed,
        "train_mlp": found.train_mlp,
        "train_attn": found.train_attn,
        "optimizer_config": found.optimizer_config,
    }


def copy_weights(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Copy a checkpoint into one of the caller's sessions or projects."""
    token = exchange.headers.get("x-tinker-weights-access-token")
    token = token or exchange.body.get("weights_access_token")
    key = exchange.headers.get("x-idempotency-key", "")
    housekeeping.admit_session(backend)
    copy = copying.copy_weights(backend, exchange.owner, exchange.body, token, key)
    return {"tinker_path": copy.path}
