"""Idle models give way under `--memory-limit`: their weights are packed, or left to the disk.

A trainer that is ready to compute takes several times what was trained; packed, that alone.
"""

import asyncio
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
    weights = {run.id: weight_of(run.trainer) for run in awake}
    held = sum(weights.values())
    for run in sorted(awake, key=lambda run: run.last_request_time):
        if held <= limit * MIB:
            return
        if run is not used and _idle(backend, run):
            await _pack(backend, run)
        if run.trainer is None:  # or somebody else has packed it meanwhile
            held -= weights[run.id]


async def _pack(backend: Backend, run: TrainingRun) -> None:
    """Pack one model; work for it waits meanwhile."""
    trainer = run.trainer
    if backend.store.keeper is None and trainer is not None:
        if trainer.pending:
            return  # its gradient is nowhere else
        over = backend.packing[run.id] = asyncio.Event()
        try:
            kept = await backend.compute(export_state, trainer)
        finally:
            del backend.packing[run.id]
            over.set()
        if run.trainer is not trainer:
            return  # it was lost, or its session ended
        run.kept = kept
    run.trainer = None


async def packed(backend: Backend, run: TrainingRun) -> None:
    """Return once nobody packs the model."""
    while (over := backend.packing.get(run.id)) is not None:
        await over.wait()


def _idle(backend: Backend, run: TrainingRun) -> bool:
    lane = backend.promises.lanes.get(model_lane(run.id))
    if run.id in backend.packing:
        return False
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
    return sum(weight_of(part, counted) for name, part in list(parts.items()) if name not in SHARED)
