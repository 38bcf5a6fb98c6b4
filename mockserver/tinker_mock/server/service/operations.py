"""The table of promised operations: what each one does once its turn has come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tinker_mock.server.engine import EngineError
from tinker_mock.server.errors import OperationFailed
from tinker_mock.server.promises import Promise
from tinker_mock.server.service import custom_losses, runs, sampling, saving, training

if TYPE_CHECKING:
    from tinker_mock.server.simulator import Simulator

WORK: dict[str, Callable[[Simulator, Promise], Awaitable[Any]]] = {
    "asample": sampling.asample,
    "create_custom_loss": custom_losses.create_custom_loss,
    "create_model": runs.create_model,
    "forward": training.forward,
    "forward_backward": training.forward_backward,
    "load_weights": saving.load_weights,
    "optim_step": training.optim_step,
    "save_weights": saving.save_weights,
    "save_weights_external": saving.save_weights_external,
    "save_weights_for_sampler": saving.save_weights_for_sampler,
    "unload_model": runs.unload_model,
}


async def perform(simulator: Simulator, promise: Promise) -> Any:
    """Do a promise's work; raises OperationFailed for what the client can mend."""
    try:
        return await WORK[promise.operation](simulator, promise)
    except EngineError as error:
        raise OperationFailed(str(error)) from error
