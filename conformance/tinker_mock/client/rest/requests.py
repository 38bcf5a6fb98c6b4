"""REST calls, as values: which method, which address. Nothing is sent here."""

from collections.abc import Mapping
from typing import Any

from tinker_mock.client.http.call import Call
from tinker_mock.client.http.requests import segment
from tinker_mock.client.rest.paths import parse_checkpoint_path

_API = "/api/v1"


def get(path: str, query: Mapping[str, Any] | None = None, **options: Any) -> Call:
    """A GET below the API's root; null query values are left out."""
    return Call("GET", _API + path, query=query or {}, **options)


def list_training_runs(limit: int = 20, offset: int = 0, **more: Any) -> Call:
    return get("/training_runs", {"limit": limit, "offset": offset, **more})


def get_training_run(run_id: str, **more: Any) -> Call:
    return get(f"/training_runs/{_run(run_id)}", more)


def list_checkpoints(run_id: str) -> Call:
    return get(f"/training_runs/{_run(run_id)}/checkpoints")


def list_user_checkpoints(limit: int = 100, offset: int = 0) -> Call:
    return get("/checkpoints", {"limit": limit, "offset": offset})


def checkpoint_address(path_or_run: str, checkpoint_id: str | None = None) -> str:
    """The address of a checkpoint, from its path or from (run, id); ids are taken verbatim."""
    if checkpoint_id is None:
        path = parse_checkpoint_path(path_or_run)
        return f"/training_runs/{_run(path.training_run_id)}/checkpoints/{path.rest_id}"
    return f"/training_runs/{_run(path_or_run)}/checkpoints/{checkpoint_id}"


def checkpoint_call(method: str, address: str, action: str = "", body: Any = None) -> Call:
    """A call on one checkpoint: delete it, publish it, set its time to live …"""
    return Call(method, f"{_API}{address}{action}", json=body)


def archive(address: str, accept: str) -> Call:
    return Call("GET", f"{_API}{address}/archive", accept=accept, max_retries=0)


def external_urls(path: str) -> Call:
    parsed = parse_checkpoint_path(path)
    run = _run(parsed.training_run_id)
    return get(f"/training_runs/{run}/checkpoints/{parsed.rest_id}/external_weights_urls")


def list_sessions(limit: int = 20, offset: int = 0, **more: Any) -> Call:
    return get("/sessions", {"limit": limit, "offset": offset, **more})


def get_session(session_id: str, **more: Any) -> Call:
    return get(f"/sessions/{segment(session_id)}", more)


def session_call(method: str, session_id: str, action: str = "", body: Any = None) -> Call:
    return Call(method, f"{_API}/sessions/{segment(session_id)}{action}", json=body)


def get_sampler(sampler_id: str) -> Call:
    return get(f"/samplers/{segment(sampler_id)}")


def _run(run_id: str) -> str:
    """Run ids contain colons, which may stand in a path as they are."""
    return segment(run_id).replace("%3A", ":")
