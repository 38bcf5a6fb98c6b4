"""Training runs over HTTP."""

from typing import Any

from tinker_mock.server.service import checkpoints, runs
from tinker_mock.server.state.records import TrainingRun
from tinker_mock.server.wire.exchange import Exchange


def list_training_runs(exchange: Exchange) -> dict[str, Any]:
    """Training runs, newest first."""
    query, simulator = exchange.query, exchange.simulator
    offset, limit = query["offset"], query["limit"]
    found = [run for run in _visible(exchange) if _in_project(exchange, run)]
    page = found[offset : offset + limit]
    return {
        "training_runs": [runs.told(simulator, run) for run in page],
        "cursor": {"offset": offset, "limit": limit, "total_count": len(found)},
    }


def get_training_run(exchange: Exchange) -> dict[str, Any]:
    """One training run."""
    simulator, run_id = exchange.simulator, exchange.path_params["run_id"]
    run = next((run for run in _visible(exchange) if run.id == run_id), None)
    if run is None:
        run = runs.get_run(simulator, exchange.owner, run_id, "/run_id")
    return runs.told(simulator, run)


def _visible(exchange: Exchange) -> list[TrainingRun]:
    """The caller's own runs; with access_scope=accessible also runs with a published checkpoint."""
    state = exchange.simulator.state
    shared = set()
    if exchange.query.get("access_scope") == "accessible":
        shared = {c.run_id for c in checkpoints.living(exchange.simulator) if c.public}
    owner = exchange.owner.id
    found = [run for run in state.runs.values() if run.tenant_id == owner or run.id in shared]
    found.reverse()
    return sorted(found, key=lambda run: run.created_at, reverse=True)


def _in_project(exchange: Exchange, run: TrainingRun) -> bool:
    wanted = exchange.query.get("project_id")
    return not wanted or exchange.simulator.state.sessions[run.session_id].project_id == wanted
