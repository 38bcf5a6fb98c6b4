"""Training operations: submitted to the model's lane."""

from typing import Any

from tinker_mock.server.service import runs, sessions
from tinker_mock.server.service.submission import Submission, submit, submit_to_run
from tinker_mock.server.wire.exchange import Exchange


def forward(exchange: Exchange) -> dict[str, Any]:
    """Loss and outputs, no gradients."""
    return _submit(exchange, "forward")


def forward_backward(exchange: Exchange) -> dict[str, Any]:
    """Loss, outputs and accumulated gradients."""
    return _submit(exchange, "forward_backward")


def optim_step(exchange: Exchange) -> dict[str, Any]:
    """Apply the accumulated gradients."""
    return _submit(exchange, "optim_step")


def create_custom_loss(exchange: Exchange) -> dict[str, Any]:
    """Upload a traced loss to the session."""
    body = exchange.body
    session = sessions.active_session(exchange.simulator, exchange.owner, body["session_id"])
    submission = Submission(
        operation="create_custom_loss",
        lane_id=f"losses:{session.id}",
        ordered=False,
        seq_id=body["custom_loss_seq_id"],
        payload=body,
        session_id=session.id,
    )
    return {"request_id": submit(exchange, submission).request_id}


def _submit(exchange: Exchange, operation: str) -> dict[str, Any]:
    simulator, body = exchange.simulator, exchange.body
    run = runs.get_run(simulator, exchange.owner, body["model_id"])
    sessions.active_session(simulator, exchange.owner, run.session_id)
    return submit_to_run(exchange, run, operation)
