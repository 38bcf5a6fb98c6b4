"""Custom losses: traced programs, checked and kept per session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinker_mock.server.promises import Promise

if TYPE_CHECKING:
    from tinker_mock.server.simulator import Simulator


async def create_custom_loss(simulator: Simulator, promise: Promise) -> dict[str, Any]:
    """Work of create_custom_loss: check the program and keep it under a new id."""
    from tinker_mock.server.engine.training.custom_loss import compile_loss

    body, session = promise.payload, simulator.state.sessions[promise.session_id]
    await simulator.compute(compile_loss, body)
    number = body["custom_loss_seq_id"]
    loss_id = simulator.ids.derive("custom-loss", session.id, number)
    session.custom_losses[loss_id] = body
    return {"loss_id": loss_id, "type": "create_custom_loss"}
