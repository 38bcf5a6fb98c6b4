"""Training operations: submitted to the model's lane."""

from collections.abc import Awaitable
from typing import Any

from tinker_mock.server.service import lengths, offer, runs, sessions
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.submission import Submission, submit, submit_to_run
from tinker_mock.server.state.promise import LARGE
from tinker_mock.server.wire.exchange import Exchange

Accepted = dict[str, Any] | Awaitable[dict[str, Any]]
"""The answer with the future's id; a large request is looked through in a thread before."""


def forward(backend: Backend, exchange: Exchange) -> Accepted:
    """Loss and outputs, no gradients."""
    return _submit_data(backend, exchange, "forward", "forward_input")


def forward_backward(backend: Backend, exchange: Exchange) -> Accepted:
    """Loss, outputs and accumulated gradients."""
    return _submit_data(backend, exchange, "forward_backward", "forward_backward_input")


def optim_step(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Apply the accumulated gradients."""
    return _submit(backend, exchange, "optim_step")


def create_custom_loss(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Upload a traced loss to the session."""
    body = exchange.body
    session = sessions.active_session(backend, exchange.owner, body["session_id"])
    submission = Submission(
        operation="create_custom_loss",
        lane_id=f"losses:{session.id}",
        ordered=False,
        seq_id=body["custom_loss_seq_id"],
        payload=body,
        session_id=session.id,
        weight=exchange.weight,
    )
    promise = submit(backend, exchange.owner, exchange.fingerprint, submission)
    return {"request_id": promise.request_id}


def _submit_data(backend: Backend, exchange: Exchange, operation: str, field: str) -> Accepted:
    if exchange.weight > LARGE:
        return _submit_large(backend, exchange, operation, field)
    _check_data(backend, exchange, field)
    return _submit(backend, exchange, operation)


async def _submit_large(
    backend: Backend, exchange: Exchange, operation: str, field: str
) -> dict[str, Any]:
    await backend.compute(_check_data, backend, exchange, field)
    return _submit(backend, exchange, operation)


def _check_data(backend: Backend, exchange: Exchange, field: str) -> None:
    """The sequences fit the context of the run's model."""
    body = exchange.body
    run = runs.get_run(backend, exchange.owner, body["model_id"])
    model = backend.catalog.get(run.base_model)
    lengths.check_training(backend.catalog, model, body[field]["data"], field)


def _submit(backend: Backend, exchange: Exchange, operation: str) -> dict[str, Any]:
    body = exchange.body
    run = runs.get_run(backend, exchange.owner, body["model_id"])
    offer.trainable(backend, run.base_model)
    sessions.active_session(backend, exchange.owner, run.session_id)
    return submit_to_run(backend, run, operation, body, exchange.fingerprint, exchange.weight)
