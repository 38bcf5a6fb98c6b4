"""Custom losses: traced programs, checked and kept per session."""

from __future__ import annotations

from typing import Any

from tinker_mock.server.engine.training.custom_loss import compile_loss
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.promise import Promise


async def create_custom_loss(backend: Backend, promise: Promise) -> dict[str, Any]:
    """Work of create_custom_loss: check the program and keep it under a new id."""
    body, session = promise.payload, backend.state.sessions[promise.session_id]
    await backend.compute(compile_loss, body)
    number = body["custom_loss_seq_id"]
    loss_id = backend.ids.derive("custom-loss", session.id, number)
    session.custom_losses[loss_id] = body
    return {"loss_id": loss_id, "type": "create_custom_loss"}
