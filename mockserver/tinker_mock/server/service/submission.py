"""Accepting an operation: its promise, its lane, and the answer with the request id."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tinker_mock.server.promises import Promise
from tinker_mock.server.service.runs import creation_request
from tinker_mock.server.state.records import TrainingRun
from tinker_mock.server.wire.exchange import Exchange


@dataclass(frozen=True)
class Submission:
    """What is submitted where. `key` makes the request id when there is no seq_id."""

    operation: str
    lane_id: str
    ordered: bool
    seq_id: int | None
    payload: dict[str, Any]
    session_id: str = ""
    model_id: str = ""
    base_model: str = ""
    sequence_ids: list[str] = field(default_factory=list)


def submit(exchange: Exchange, submission: Submission) -> Promise:
    """The promise of a submission; repeating one returns the promise it got before.

    Raises Conflict when the seq_id was used for something else.
    """
    simulator = exchange.simulator
    book, lane_id, seq_id = simulator.promises, submission.lane_id, submission.seq_id
    known = book.previous(lane_id, seq_id, exchange.fingerprint)
    if known is not None:
        return known
    simulator.policy.submitting(exchange.owner, submission.operation, submission.payload)
    numbered = seq_id is not None and (seq_id > 0 or not submission.ordered)
    request_id = (
        simulator.ids.derive("request", lane_id, seq_id)
        if numbered
        else simulator.ids.next("request", lane_id)
    )
    promise = Promise(
        request_id=request_id,
        operation=submission.operation,
        tenant_id=exchange.owner.id,
        lane_id=lane_id,
        seq_id=seq_id if numbered else None,
        fingerprint=exchange.fingerprint,
        payload=submission.payload,
        submitted_at=simulator.clock.now(),
        session_id=submission.session_id,
        model_id=submission.model_id,
        base_model=submission.base_model,
        sequence_ids=submission.sequence_ids,
    )
    return book.add(promise, ordered=submission.ordered)


def submit_to_run(exchange: Exchange, run: TrainingRun, operation: str) -> dict[str, Any]:
    """Submit a request of a training run to its lane; the answer is its future."""
    body = exchange.body
    run.last_request_time = exchange.clock.now()
    promise = submit(
        exchange,
        Submission(
            operation=operation,
            lane_id=lane_of(run.id),
            ordered=True,
            seq_id=body.get("seq_id"),
            payload=body,
            session_id=run.session_id,
            model_id=run.id,
            base_model=run.base_model,
        ),
    )
    return {"request_id": promise.request_id, "model_id": run.id}


def lane_of(model_id: str) -> str:
    """The lane of a model's operations."""
    return f"model:{model_id}"


def submit_creation(exchange: Exchange, run: TrainingRun, operation: str) -> dict[str, Any]:
    """Submit the operation that creates a run, as the first of its lane."""
    simulator = exchange.simulator
    promise = Promise(
        request_id=creation_request(simulator, run.id),
        operation=operation,
        tenant_id=run.tenant_id,
        lane_id=lane_of(run.id),
        seq_id=None,
        fingerprint=exchange.fingerprint,
        payload=exchange.body,
        submitted_at=simulator.clock.now(),
        session_id=run.session_id,
        model_id=run.id,
        base_model=run.base_model,
    )
    simulator.promises.add(promise, ordered=True)
    return {"request_id": promise.request_id, "model_id": run.id}
