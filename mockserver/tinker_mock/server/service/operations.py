"""The table of promised operations: what each one does once its turn has come."""

from collections.abc import Awaitable, Callable
from typing import Any

from tinker_mock.server.engine import EngineError
from tinker_mock.server.errors import OperationFailed
from tinker_mock.server.service import losing, residence, sampling, saving, trainers, training
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.compute import on_behalf_of
from tinker_mock.server.state.promise import Outcome, Promise

WORK: dict[str, Callable[[Backend, Promise], Awaitable[Any]]] = {
    "asample": sampling.asample,
    "create_custom_loss": training.create_custom_loss,
    "create_model": trainers.create_model,
    "forward": training.forward,
    "forward_backward": training.forward_backward,
    "load_weights": saving.load_weights,
    "optim_step": training.optim_step,
    "save_weights": saving.save_weights,
    "save_weights_external": saving.save_weights_external,
    "save_weights_for_sampler": saving.save_weights_for_sampler,
    "unload_model": trainers.unload_model,
}


async def perform(backend: Backend, promise: Promise) -> Any:
    """Do a promise's work; raises OperationFailed for what the client can mend."""
    try:
        with on_behalf_of(promise.tenant_id):
            losing.strike(backend, promise)
            await residence.wake(backend, promise)
            result = await WORK[promise.operation](backend, promise)
            residence.note(backend, promise)
    except EngineError as error:
        told = f"{error.code}: {error}" if error.code else str(error)
        raise OperationFailed(told) from error
    # In the same turn of the loop as its effects: what is kept has both, or neither.
    if promise.open:
        promise.outcome = Outcome("completed", result=result)
    return result
