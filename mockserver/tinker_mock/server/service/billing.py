"""Usage, counted from what was really done, and its price."""

from __future__ import annotations

from typing import Literal

from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import UsageEvent

Kind = Literal["training", "sampling_prefill", "sampling_sample", "checkpoint"]


def bill(
    backend: Backend,
    session_id: str,
    base_model: str,
    kind: Kind,
    quantity: int,
    cached: bool = False,
) -> None:
    """Count something billable for a session's owner."""
    session = backend.state.sessions[session_id]
    backend.state.usage.append(
        UsageEvent(
            at=backend.clock.now(),
            tenant_id=session.tenant_id,
            session_id=session.id,
            project_id=session.project_id,
            base_model=base_model,
            kind=kind,
            quantity=quantity,
            cached=cached,
        )
    )
