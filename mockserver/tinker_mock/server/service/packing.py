"""Idle models give way under `--memory-limit`: their weights are packed, or left to the disk.

A trainer that is ready to compute takes several times what was trained; packed, that alone.
"""

from collections.abc import Mapping
from typing import Any

from tinker_mock.server.budget import MIB
from tinker_mock.server.engine import export_state
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.promise import model_lane
from tinker_mock.server.state.records import TrainingRun

SHARED = ("base", "frozen", "untrained")
"""What trainers share is nobody's weight."""


async def make_room(backend: Backend, used: TrainingRun) -> None:
    """Pack models that were asked for longest ago until the others fit; `used` stays."""
    limit = backend.settings.memory_limit
    if limit is None:
        return
    awake = [run for run in backend.state.runs.values() if run.trainer is not None]
    held = sum(weight_of(run.trainer) for run in awake)
    for run in sorted(awake, key=lambda run: run.last_request_time):
        if held <= limit * MIB:
            return
        if run is not used and _idle(backend, run):
            held -= await _packed(backend, run)


async def _packed(backend: Backend, run: TrainingRun) -> int:
    """Pack one model; returns the bytes it gave back, 0 when somebody needs it meanwhile."""
    trainer = run.trainer
    assert trainer is not None
    weight = weight_of(trainer)
    if backend.store.keeper is None:
        if trainer.pending:
            return 0  # its gradient is nowhere else
        steps = run.steps
        kept = await backend.compute(export_state, trainer)
        if (
            run.steps != steps
            or trainer.pending
            or run.trainer is not trainer
            or not _idle(backend, run)
        ):
            return 0
        run.kept = kept
    run.trainer = None
    return weight


def _idle(backend: Backend, run: TrainingRun) -> bool:
    lane = backend.promises.lanes.get(model_lane(run.id))
    return lane is None or not (lane.current or lane.slots or lane.arrivals)


def weight_of(thing: Any, counted: set[int] | None = None) -> int:
    """Bytes of the arrays of a trainer; what is in it twice counts once."""
    counted = set() if counted is None else counted
    while hasattr(getattr(thing, "base", None), "nbytes"):
        thing = thing.base  # a view of an array takes nothing
    if id(thing) in counted:
        return 0
    counted.add(id(thing))
    if hasattr(thing, "nbytes"):
        return int(thing.nbytes)
    if isinstance(thing, (list, tuple)):
        return sum(weight_of(part, counted) for part in thing)
    parts: Mapping[str, Any] = thing if isinstance(thing, dict) else getattr(thing, "__dict__", {})
    return sum(weight_of(part, counted) for name, part in parts.items() if name not in SHARED)
