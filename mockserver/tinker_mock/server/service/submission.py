"""Accepting an operation: its promise, its lane, and the answer with the request id."""

from dataclasses import dataclass, field
from typing import Any

from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.runs import creation_request
from tinker_mock.server.state.promise import Promise, model_lane
from tinker_mock.server.state.records import Tenant, TrainingRun


@dataclass(frozen=True)
class Submission:
    """What is submitted where; the payload is the request's body."""

    operation: str
    lane_id: str
    ordered: bool
    seq_id: int | None
    payload: dict[str, Any]
    session_id: str = ""
    model_id: str = ""
    base_model: str = ""
    sequence_ids: list[str] = field(default_factory=list)
    weight: int = 0
    """Bytes that the payload takes in memory."""


def submit(backend: Backend, tenant: Tenant, fingerprint: str, submission: Submission) -> Promise:
    """The promise of a submission; repeating one returns the promise it got before.

    `fingerprint` is a hash of what was asked. Raises Conflict when the seq_id was used for
    something else, TooManyRequests when too much of the tenant's waits already.
    """
    book, lane_id, seq_id = backend.promises, submission.lane_id, submission.seq_id
    known = book.previous(lane_id, seq_id, fingerprint)
    if known is not None:
        return known
    if not book.awaited(lane_id, seq_id):
        book.room.check(tenant.id, submission.weight)
    backend.policy.submitting(tenant, submission.operation, submission.payload)
    numbered = seq_id is not None and (seq_id > 0 or not submission.ordered)
    request_id = (
        backend.ids.derive("request", lane_id, seq_id)
        if numbered
        else backend.ids.next("unnumbered-request", lane_id)
    )
    promise = Promise(
        request_id=request_id,
        operation=submission.operation,
        tenant_id=tenant.id,
        lane_id=lane_id,
        seq_id=seq_id if numbered else None,
        fingerprint=fingerprint,
        payload=submission.payload,
        submitted_at=backend.clock.now(),
        session_id=submission.session_id,
        model_id=submission.model_id,
        base_model=submission.base_model,
        sequence_ids=submission.sequence_ids,
        weight=submission.weight,
    )
    return book.add(promise, ordered=submission.ordered)


def submit_to_run(
    backend: Backend,
    run: TrainingRun,
    operation: str,
    body: dict[str, Any],
    fingerprint: str,
    weight: int = 0,
) -> dict[str, Any]:
    """Submit a request of a training run to its lane; the answer is its future."""
    submission = Submission(
        operation=operation,
        lane_id=model_lane(run.id),
        ordered=True,
        seq_id=body.get("seq_id"),
        payload=body,
        session_id=run.session_id,
        model_id=run.id,
        base_model=run.base_model,
        weight=weight,
    )
    owner = backend.state.tenants[run.tenant_id]
    promise = submit(backend, owner, fingerprint, submission)
    run.last_request_time = max(run.last_request_time, promise.submitted_at)
    return {"request_id": promise.request_id, "model_id": run.id}


def submit_creation(
    backend: Backend, run: TrainingRun, operation: str, body: dict[str, Any], fingerprint: str
) -> dict[str, Any]:
    """Submit the operation that creates a run, as the first of its lane."""
    promise = Promise(
        request_id=creation_request(backend, run.id),
        operation=operation,
        tenant_id=run.tenant_id,
        lane_id=model_lane(run.id),
        seq_id=None,
        fingerprint=fingerprint,
        payload=body,
        submitted_at=backend.clock.now(),
        session_id=run.session_id,
        model_id=run.id,
        base_model=run.base_model,
    )
    backend.promises.add(promise, ordered=True)
    return {"request_id": promise.request_id, "model_id": run.id}
