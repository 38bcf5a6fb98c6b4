"""Training runs over HTTP."""

from typing import Any

from tinker_mock.server.service import checkpoints, runs
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import TrainingRun
from tinker_mock.server.wire.exchange import Exchange


def list_training_runs(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Training runs, newest first."""
    query = exchange.query
    offset, limit = query["offset"], query["limit"]
    found = [run for run in _visible(backend, exchange) if _in_project(backend, exchange, run)]
    page = found[offset : offset + limit]
    return {
        "training_runs": [runs.as_listed(backend, run) for run in page],
        "cursor": {"offset": offset, "limit": limit, "total_count": len(found)},
    }


def get_training_run(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """One training run."""
    run_id = exchange.path_params["run_id"]
    run = next((run for run in _visible(backend, exchange) if run.id == run_id), None)
    if run is None:
        run = runs.get_run(backend, exchange.owner, run_id, "/run_id")
    return runs.as_listed(backend, run)


def _visible(backend: Backend, exchange: Exchange) -> list[TrainingRun]:
    """The caller's own runs; with access_scope=accessible also runs with a published checkpoint."""
    state = backend.state
    shared = set()
    if exchange.query.get("access_scope") == "accessible":
        shared = {c.run_id for c in checkpoints.living(backend) if c.public}
    owner = exchange.owner.id
    found = [
        run
        for run in state.runs.values()
        if (run.tenant_id == owner or run.id in shared) and not run.lost
    ]
    found.reverse()
    return sorted(found, key=lambda run: run.created_at, reverse=True)


def _in_project(backend: Backend, exchange: Exchange, run: TrainingRun) -> bool:
    wanted = exchange.query.get("project_id")
    return not wanted or backend.state.sessions[run.session_id].project_id == wanted
