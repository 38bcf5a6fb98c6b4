"""Trainers that are not in memory, packed or on disk, and are woken for their work.

What is kept of a model is its trainer's exact state at some step and, where states last, which
requests were done since. The engine is deterministic: doing them again gives the weights of now,
gradient included.
"""

from typing import Any

from tinker_mock.server.engine import export_state, load_state
from tinker_mock.server.errors import OperationFailed
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.inputs import training_data
from tinker_mock.server.service.packing import make_room, packed
from tinker_mock.server.service.trainers import make_trainer
from tinker_mock.server.service.training import loss_of
from tinker_mock.server.state.promise import REPLAYED, Promise
from tinker_mock.server.state.records import TrainingRun

KEEP_AFTER = 64
"""Requests that are done again at most before a step is kept instead."""


async def wake(backend: Backend, promise: Promise) -> None:
    """Before the work of a promise: its model is in memory, and not too far from what is kept."""
    run = backend.state.runs.get(promise.model_id)
    if run is None or not run.loaded:
        return
    await packed(backend, run)
    await make_room(backend, run)
    if run.trainer is None:
        run.trainer = await _woken(backend, run)
    elif len(run.replay) >= KEEP_AFTER and not run.trainer.pending:
        kept = await backend.compute(export_state, run.trainer)
        run.kept, run.replay = kept, []


def note(backend: Backend, promise: Promise) -> None:
    """After the work, in the same turn of the loop: what is kept does not hold it yet."""
    run = backend.state.runs.get(promise.model_id)
    if run is None:
        return
    if run.loaded != (run.trainer is not None):
        run.loaded = run.trainer is not None
    if not run.loaded:
        run.kept, run.replay = None, []
    elif backend.store.keeper is None:
        run.kept = None  # the trainer has gone on since
    elif promise.operation in REPLAYED and not promise.payload.get("forward_only"):
        run.replay = [*run.replay, promise.request_id]


async def _woken(backend: Backend, run: TrainingRun) -> Any:
    """The trainer as it was: what is kept, and what was done since."""
    keeper = backend.store.keeper
    trainer = await make_trainer(backend, run)
    if run.kept:
        await backend.compute(load_state, trainer, run.kept, True)
    if keeper is not None:
        for request_id in run.replay:
            operation, body = await keeper.request(request_id)
            await backend.compute(_again, backend, run, trainer, operation, body)
    return trainer


def _again(
    backend: Backend, run: TrainingRun, trainer: Any, operation: str, body: dict[str, Any]
) -> None:
    if operation == "optim_step":
        trainer.optim_step(dict(body.get("optimizer_params") or body.get("adam_params") or {}))
        return
    if operation != "forward_backward":
        raise OperationFailed(f"{run.id}: {operation} cannot be done again", "server")
    given = body["forward_backward_input"]
    config = dict(given.get("loss_fn_config") or {})
    data = training_data(given["data"], backend.catalog.get(run.base_model))
    loss = loss_of(backend, run.session_id, given["loss_fn"], config)
    trainer.forward_backward(data, loss, config)
