"""Training operations: submitted to the model's lane."""

from typing import Any

from tinker_mock.server.service import runs, sessions
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.submission import Submission, submit, submit_to_run
from tinker_mock.server.wire.exchange import Exchange


def forward(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Loss and outputs, no gradients."""
    return _submit(backend, exchange, "forward")


def forward_backward(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Loss, outputs and accumulated gradients."""
    return _submit(backend, exchange, "forward_backward")


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
    )
    promise = submit(backend, exchange.owner, exchange.fingerprint, submission)
    return {"request_id": promise.request_id}


def _submit(backend: Backend, exchange: Exchange, operation: str) -> dict[str, Any]:
    body = exchange.body
    run = runs.get_run(backend, exchange.owner, body["model_id"])
    sessions.active_session(backend, exchange.owner, run.session_id)
    return submit_to_run(backend, run, operation, body, exchange.fingerprint)
