"""Promises and lanes: what waits, what runs, and finishing things by hand."""

from typing import Any

from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import Conflict, NotFound
from tinker_mock.server.state.promise import Outcome, Promise
from tinker_mock.server.wire.exchange import Exchange


def _described(control: MockControl, promise: Promise) -> dict[str, Any]:
    queue = control.policy.queue_state(promise)
    return {
        "request_id": promise.request_id,
        "operation": promise.operation,
        "tenant": promise.tenant_id,
        "lane": promise.lane_id,
        "seq_id": promise.seq_id,
        "base_model": promise.base_model,
        "state": promise.state,
        "queue_state": queue.state,
        "queue_state_reason": queue.reason,
        "held": promise.request_id in control.policy.held(),
        "polls": promise.polls,
        "submitted_at": promise.submitted_at,
        "started_at": promise.started_at,
        "finished_at": promise.finished_at,
        "error": promise.outcome.error or None if promise.outcome else None,
    }


async def list_promises(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    state, lane = exchange.query.get("state"), exchange.query.get("lane")
    found = [
        _described(control, promise)
        for promise in control.backend.state.promises.values()
        if state in (None, promise.state) and lane in (None, promise.lane_id)
    ]
    return {"promises": found}


async def list_lanes(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    lanes = control.backend.state.lanes.values()
    return {
        "lanes": [
            {
                "id": lane.id,
                "ordered": lane.ordered,
                "expected_seq_id": lane.expected if lane.ordered else None,
                "running": lane.current,
                "waiting": {str(seq): request for seq, request in sorted(lane.slots.items())},
                "blocked": lane.blocked(),
                "completed": lane.completed,
            }
            for lane in lanes
        ]
    }


def _promise(control: MockControl, exchange: Exchange) -> Promise:
    request_id = exchange.path_params["request_id"]
    promise = control.backend.state.promises.get(request_id)
    if promise is None:
        raise NotFound(f"request_id: no promise {request_id!r}", pointer="/request_id")
    return promise


async def complete_promise(control: MockControl, exchange: Exchange) -> None:
    promise = _promise(control, exchange)
    if not promise.open:
        raise Conflict(
            f"request_id: the promise {promise.request_id!r} is already {promise.state}",
            pointer="/request_id",
            rule="only an open promise can be completed",
        )
    control.policy.release(promise.request_id)


async def expire_promise(control: MockControl, exchange: Exchange) -> None:
    control.backend.promises.expire(_promise(control, exchange))


async def fail_promise(control: MockControl, exchange: Exchange) -> None:
    category = exchange.body.get("category", "server")
    outcome = Outcome("failed", error=exchange.body["error"], category=category)
    control.backend.promises.fail(_promise(control, exchange), outcome)
