"""Promises and lanes: what waits, what runs, and finishing things by hand."""

from __future__ import annotations

from typing import Any

from tinker_mock.server.control.call import Call, Handler, done
from tinker_mock.server.errors import Conflict, NotFound
from tinker_mock.server.promises import Outcome, Promise
from tinker_mock.server.wire.exchange import Answer


def _told(call: Call, promise: Promise) -> dict[str, Any]:
    queue = call.director.policy.queue_state(promise)
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
        "held": promise.request_id in call.director.policy.held(),
        "polls": promise.polls,
        "submitted_at": promise.submitted_at,
        "finished_at": promise.finished_at,
        "error": promise.outcome.error or None if promise.outcome else None,
    }


async def list_promises(call: Call) -> Answer:
    state, lane = call.query.get("state"), call.query.get("lane")
    found = [
        _told(call, promise)
        for promise in call.simulator.state.promises.values()
        if state in (None, promise.state) and lane in (None, promise.lane_id)
    ]
    return done({"promises": found})


async def list_lanes(call: Call) -> Answer:
    lanes = call.simulator.state.lanes.values()
    return done(
        {
            "lanes": [
                {
                    "id": lane.id,
                    "ordered": lane.ordered,
                    "expected_seq_id": lane.expected if lane.ordered else None,
                    "running": lane.current,
                    "waiting": {str(seq): request for seq, request in sorted(lane.slots.items())},
                    "blocked": lane.blocked(),
                    "completed": len(lane.completions),
                }
                for lane in lanes
            ]
        }
    )


def _promise(call: Call) -> Promise:
    request_id = call.path["request_id"]
    promise = call.simulator.state.promises.get(request_id)
    if promise is None:
        raise NotFound(f"request_id: no promise {request_id!r}", pointer="/request_id")
    return promise


async def complete_promise(call: Call) -> Answer:
    promise = _promise(call)
    if not promise.open:
        raise Conflict(
            f"request_id: the promise {promise.request_id!r} is already {promise.state}",
            pointer="/request_id",
            rule="only an open promise can be completed",
        )
    call.director.policy.release(promise.request_id)
    return done()


async def expire_promise(call: Call) -> Answer:
    call.simulator.promises.expire(_promise(call))
    return done()


async def fail_promise(call: Call) -> Answer:
    category = call.body.get("category", "server")
    outcome = Outcome("failed", error=call.body["error"], category=category)
    call.simulator.promises.fail(_promise(call), outcome)
    return done()


HANDLERS: dict[str, Handler] = {
    "list_promises": list_promises,
    "list_lanes": list_lanes,
    "complete_promise": complete_promise,
    "expire_promise": expire_promise,
    "fail_promise": fail_promise,
}
