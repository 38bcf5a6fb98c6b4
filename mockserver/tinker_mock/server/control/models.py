"""Models under training, and losing them."""

from typing import Any

from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import NotFound
from tinker_mock.server.service.losing import lose
from tinker_mock.server.wire.exchange import Exchange


async def list_models(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    runs = control.backend.state.runs.values()
    return {
        "models": [
            {
                "model_id": run.id,
                "session_id": run.session_id,
                "tenant": run.tenant_id,
                "base_model": run.base_model,
                "rank": run.rank,
                "steps": run.steps,
                "loaded": run.trainer is not None,
                "corrupted": run.corrupted,
            }
            for run in runs
        ]
    }


async def lose_model(control: MockControl, exchange: Exchange) -> None:
    model_id = exchange.path_params["model_id"]
    run = control.backend.state.runs.get(model_id)
    if run is None or run.lost:
        raise NotFound(
            f"model_id: no model {model_id!r}",
            pointer="/model_id",
            fix="list them at GET /_mock/models",
        )
    lose(control.backend, run, (exchange.body or {}).get("what", "weights"))
