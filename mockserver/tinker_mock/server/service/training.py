"""Work of the training operations: the engine does the numbers, the run keeps the count."""

from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from tinker_mock.server.engine import Datum, LossResult, Trainer
from tinker_mock.server.engine.training.custom_loss import compile_loss
from tinker_mock.server.errors import OperationFailed
from tinker_mock.server.quirks import Quirk
from tinker_mock.server.service import session_room
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.inputs import training_data
from tinker_mock.server.service.pace import SMALL, Pace
from tinker_mock.server.service.trainers import trainer_of
from tinker_mock.server.service.usage import bill
from tinker_mock.server.state.promise import LARGE, Promise

LARGEST_LOSS = 8 << 20
"""Bytes of memory that a custom loss may take."""
CLOCK_CYCLE = "clock_cycle:unique"
"""The metric that tells which step of the worker pool a pass took part in."""


async def forward(backend: Backend, promise: Promise) -> LossResult:
    """Work of forward: loss and outputs, no gradients."""
    return await _loss(backend, promise, promise.payload["forward_input"], backward=False)


async def forward_backward(backend: Backend, promise: Promise) -> LossResult:
    """Work of forward_backward; `forward_only` leaves the gradients alone."""
    backward = not promise.payload.get("forward_only", False)
    given = promise.payload["forward_backward_input"]
    return await _loss(backend, promise, given, backward=backward)


async def _loss(
    backend: Backend, promise: Promise, given: dict[str, Any], backward: bool
) -> LossResult:
    run = backend.state.runs[promise.model_id]
    trainer = trainer_of(run)
    config = dict(given.get("loss_fn_config") or {})
    loss_fn = given["loss_fn"]
    loss = loss_of(backend, promise.session_id, loss_fn, config)
    model = backend.catalog.get(run.base_model)

    def work() -> tuple[LossResult, int]:
        data = training_data(given["data"], model)
        _check_work(data, backend.settings.work_tokens)
        step = trainer.forward_backward if backward else trainer.forward
        result = step(data, loss, config)
        return result, sum(datum.tokens.size for datum in data)

    pace = _pace(trainer, loss_fn) if isinstance(loss, str) else Pace()
    known = isinstance(loss, str) and promise.weight < LARGE
    size = _numbers(given["data"]) if known else SMALL
    result, tokens = await backend.compute.paced(pace, size, work)
    bill(backend, run.session_id, run.base_model, "training", tokens)
    # Without clock cycles a step of the run counts as one, so that the same run tells the same.
    cycle = run.steps if promise.cycle is None else promise.cycle
    return replace(result, metrics={CLOCK_CYCLE: float(cycle), **result.metrics})


def _numbers(data: list[dict[str, Any]]) -> int:
    """How many tokens and targets there are; more than is small where that takes a look inside."""
    count = 0
    for datum in data:
        for chunk in datum["model_input"]["chunks"]:
            count += len(chunk["tokens"]) if "tokens" in chunk else SMALL
        for tensor in datum["loss_fn_inputs"].values():
            count += SMALL if tensor.get("sparse_crow_indices") is not None else len(tensor["data"])
    return count


def _pace(trainer: Trainer, work: str = "optim_step") -> Pace:
    return _paces.setdefault(trainer, {}).setdefault(work, Pace())


_paces: WeakKeyDictionary[Trainer, dict[str, Pace]] = WeakKeyDictionary()


def _check_work(data: list[Datum], most: int) -> None:
    """Raises OperationFailed for more tokens and targets than an operation may read."""
    size = sum(max([d.tokens.size, *(np.size(v) for v in d.inputs.values())]) for d in data)
    if size > most:
        raise OperationFailed(
            f"data: {size} tokens and targets; an operation takes at most {most}: send fewer "
            "datums at a time, or serve with a greater --work-tokens"
        )


def loss_of(backend: Backend, session_id: str, loss_fn: str, config: dict[str, Any]) -> Any:
    """A built-in loss's name, or the stored program that `loss_fn: custom` names."""
    if loss_fn != "custom":
        return loss_fn
    losses = backend.state.sessions[session_id].custom_losses
    loss_id = config.get("loss_id")
    if loss_id not in losses:
        raise OperationFailed(
            f"loss_fn_config.loss_id: no custom loss {loss_id!r} in this session; "
            "upload it with create_custom_loss and send the loss_id it returned"
        )
    return losses[loss_id]


async def optim_step(backend: Backend, promise: Promise) -> dict[str, Any]:
    """Work of optim_step: apply the accumulated gradients.

    The gradient's norm is told only by steps that clip it, as at the service
    (thinking-machines-lab/tinker-cookbook#275).
    """
    run = backend.state.runs[promise.model_id]
    trainer = trainer_of(run)
    body = promise.payload
    params = dict(body.get("optimizer_params") or body.get("adam_params") or {})
    size = trainer.pending.size
    metrics = await backend.compute.paced(_pace(trainer), size, trainer.optim_step, params)
    run.steps += 1
    clips = (params.get("grad_clip_norm") or 0.0) > 0
    told = clips or Quirk.GRADIENT_NORM_ALWAYS in backend.quirks
    return {"metrics": metrics if told else {}}


async def create_custom_loss(backend: Backend, promise: Promise) -> dict[str, Any]:
    """Work of create_custom_loss: check the program and keep it under a new id."""
    body, session = promise.payload, backend.state.sessions[promise.session_id]
    if promise.weight > LARGEST_LOSS:
        raise OperationFailed(
            f"graph: takes {promise.weight} bytes; a custom loss takes at most {LARGEST_LOSS}: "
            "give data to the loss as inputs, not as constants"
        )
    await backend.compute(compile_loss, body)
    number = body["custom_loss_seq_id"]
    loss_id = backend.ids.derive("custom-loss", session.id, number)
    session_room.admit_loss(session)
    session.custom_losses[loss_id] = body
    session.touch()
    return {"loss_id": loss_id, "type": "create_custom_loss"}
