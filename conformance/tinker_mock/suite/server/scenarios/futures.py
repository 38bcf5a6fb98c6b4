"""Promises: submitted at once, run in order, waited for, read again."""

import time
from concurrent.futures import wait
from contextlib import suppress

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.promises import IDLE, Outcome, Promised, pending
from tinker_mock.suite.core.verdict import (
    Inapplicable,
    Lacking,
    Unmet,
    expect,
    expect_equal,
    in_order,
    overtaken,
)
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import usable
from tinker_mock.suite.server.scenario import scenario

OVERTAKEN = 0.7
"""Seconds in which an operation that does not wait for its predecessors would be done."""
SETTLED = 0.2
"""Seconds until polls that were just sent are surely parked on the server."""
PENDING = "pending is 408 or 200 try_again"
QUEUE_STATES = ("active", "paused_capacity", "paused_rate_limit")


@scenario("futures/submit-and-poll")
def submit_and_poll(context: ScenarioContext) -> None:
    """Submit, wait, read; and read again."""
    model = context.model()
    submitted = context.submit("optim_step", bodies.optim(model, 1))
    with context.check("futures/submit/answer"):
        answer = submitted.reply.require().json()
        expect(isinstance(answer.get("request_id"), str), "a request id", "string", answer)
    outcome = submitted.result()
    with context.check("futures/result/no-error-key"):
        expect("error" not in outcome.value, "a result has no key error", "", outcome.value)
    with context.check("futures/metadata/not-unasked"):
        status = submitted.poll().json().get("status")
        expect(status != "complete_metadata", "the result itself", "", status)
    with context.check("futures/result/again"):
        submitted.poll().require(200)
    with context.check("futures/result/same"):
        expect_equal(submitted.poll().body, outcome.reply.body, "the same bytes again")
    with context.check("futures/metadata/then-result"):
        offered = submitted.poll(allow_metadata_only=True).require(200).json()
        if offered.get("status") == "complete_metadata":
            size = offered.get("response_payload_size")
            expect(type(size) is int and size >= 0, "a size in bytes", "int", offered)
        full = submitted.poll(allow_metadata_only=False).require(200)
        expect_equal(full.json(), outcome.value, "the withheld result follows")
    with context.check("futures/request/extra-headers"):
        headers = {
            "x-tinker-request-iteration": "3",
            "x-tinker-request-type": "OptimStep",
            "x-tinker-create-promise-roundtrip-time": "0.01",
            "x-stainless-raw-response": "raw",
        }
        body = {"request_id": submitted.request_id}
        context.client.call("retrieve_future", body, headers=headers).require(200)


@scenario("futures/unknown")
def unknown(context: ScenarioContext) -> None:
    """A promise that never was."""
    body = {"request_id": "11111111-2222-3333-4444-555555555555"}
    began = time.monotonic()
    reply = context.client.call("retrieve_future", body, timeout=context.target.long_poll)
    took = time.monotonic() - began
    with context.check("futures/unknown/terminal"):
        retried = pending(reply) or reply.status in (402, 408, 410, 429) or reply.status >= 500
        final = not retried and (reply.status >= 400 or "error" in reply.json())
        expect(final, "an unknown id is final", "4xx that no client retries", reply.status)
    with context.check("futures/unknown/at-once"):
        expect(took < 5.0, "an unknown id is answered at once", "< 5 s", f"{took:.1f} s")
    with context.check("futures/unknown/404"):
        expect_equal(reply.status, 404, "not found")
    with context.check("futures/unknown/odd-id"):
        odd = context.client.call("retrieve_future", {"request_id": "no/such ïd"})
        told = 400 <= odd.status < 500 or (odd.status == 200 and "error" in odd.json())
        expect(told and not pending(odd), "any text is an id", "4xx, or 200 with error", odd.status)
    with context.check("futures/request/id-required"):
        bare = context.client.call("retrieve_future", {}, wrong=True)
        expect(400 <= bare.status < 500 and bare.status != 408, "refused", "4xx", bare.status)


@scenario("futures/failure")
def failure(context: ScenarioContext) -> None:
    """Work that was accepted and then failed."""
    model = context.model()
    broken = bodies.datum()
    del broken["loss_fn_inputs"]["target_tokens"]
    began = time.monotonic()
    submitted = context.submit("forward_backward", bodies.train(model, 1, [broken]), wrong=True)
    outcome = submitted.outcome()
    took = time.monotonic() - began
    with context.check("futures/failure/message"):
        expect(outcome.failed, "data without target_tokens fail", "an error", outcome.value)
        message = outcome.error
        expect("target_tokens" in message, "the field is named", "target_tokens", message)
    if not outcome.failed:
        model = context.model()
        nowhere = f"tinker://{model}/weights/never-saved"
        began = time.monotonic()
        submitted = context.submit("load_weights", bodies.load(model, 1, nowhere))
        outcome = submitted.outcome()
        took = time.monotonic() - began
    expect(outcome.failed, "bad data or an unknown path fail", "an error", outcome.value)
    reply = outcome.reply
    with context.check("futures/failure/terminal"):
        retried = reply.status >= 500 or reply.status in (402, 408, 409, 410, 429)
        expect(not retried, "a failure is final", "4xx, or 200 with error", reply.status)
    with context.check("futures/failure/lane-goes-on"):
        accepted = 200 <= submitted.reply.status < 300
        again = bodies.train(model, 2 if accepted else 1)
        context.submit("forward_backward", again).result()
    with context.check("futures/failure/at-once"):
        expect(took < 5.0, "a failure is known soon", "< 5 s", f"{took:.1f} s")
    with context.check("futures/failure/category"):
        if reply.status == 200:
            known = ("unknown", "server", "user")
            expect(reply.at("/category") in known, "a known category", known, reply.text)
    with context.check("futures/failure/user"):
        blamed = 400 <= reply.status < 500 or reply.at("/category") == "user"
        expect(blamed, "the user is blamed", "4xx or category user", reply.text)
    with context.check("futures/failure/again"):
        if reply.name == "retrieve_future":
            expect_equal(submitted.poll().status, reply.status, "the same failure again")


@scenario("futures/ordering")
def ordering(context: ScenarioContext) -> None:
    """Later chunks arrive before the first one, as SDKs from 0.20 send them."""
    session = context.session()
    model, other = context.model(session), context.model(session)
    began = time.monotonic()
    step = context.submit("optim_step", bodies.optim(model, 2))
    look = context.submit("forward_backward", bodies.train(model, 3))
    with context.check("futures/order/early-accepted"):
        step.reply.require()
        look.reply.require()
        expect(time.monotonic() - began < 5, "accepted before its predecessor", "< 5 s")
    waiting = context.aside(look.outcome)
    early = context.aside(lambda: step.poll(timeout=context.target.long_poll))
    with context.check("futures/order/other-models"):
        context.submit("optim_step", bodies.optim(other, 1)).result(5.0)
    with context.check("futures/order/early-waits"):
        wait([early], timeout=OVERTAKEN)
        quick = early.done() and not pending(early.result())
        if quick:
            raise overtaken("pending", "a result")
    first = context.submit("forward_backward", bodies.train(model, 1))
    with context.check("futures/order/all-finish"):
        first.result()
        step.result()
        expect(not waiting.result().failed, "all of them finish", "results")
    with context.check("futures/order/by-seq-id"):
        changed = bodies.logprobs(waiting.result()) != bodies.logprobs(first.result())
        if not changed:
            usable(context, context.model(session))
        with in_order():
            expect(changed, "seq 3 sees the step of seq 2", "changed")


def pending_form(context: ScenarioContext, reply: Reply, request_id: str) -> None:
    """How a poll says that there is nothing yet."""
    with context.check("futures/order/pending-form"):
        if not pending(reply):
            raise Lacking(PENDING, "408", reply.status, whole=True)
    with context.check("futures/order/pending-body"):
        body = reply.json()
        expect_equal(body.get("type"), "try_again", "the body says try_again")
        expect_equal(body.get("request_id", request_id), request_id, "its own id, if any")
    with context.check("futures/order/queue-state"):
        state = reply.at("/queue_state")
        expect(state in QUEUE_STATES, "a known queue state", QUEUE_STATES, state)


@scenario("futures/waiting", patient=True)
def waiting(context: ScenarioContext) -> None:
    """The server holds a poll, and wakes it when there is news."""
    model = context.model()
    parked = context.submit("optim_step", bodies.optim(model, 2))
    replies: list[Reply] = []
    with context.check("futures/hold/within-45s"):
        replies.append(parked.poll())
        if replies[0].status == 200 and not pending(replies[0]):
            raise Inapplicable("nothing waits here (futures/order/early-waits says so)")
    expect(replies, "a poll is answered in time", f"< {context.target.long_poll} s", "no answer")
    reply = replies[0]
    if reply.status == 200 and not pending(reply):
        raise overtaken("pending", reply.text)
    pending_form(context, reply, parked.request_id)
    if not pending(reply):
        raise Lacking(PENDING, "408", reply.status, whole=True)
    with context.check("futures/hold/not-at-once"):
        expect(reply.elapsed > 0.5, "a poll is held", "> 0.5 s", f"{reply.elapsed:.2f} s")
    with suppress(Unmet):
        parked.poll(timeout=0.3)
    outcomes, took = woken(context, parked, model, 1)
    with context.check("futures/wake/all-waiters"):
        expect(not any(one.failed for one in outcomes), "each waiter gets the result", "3 results")
    with context.check("futures/wake/soon"):
        limit = min(3.0, 0.8 * (reply.elapsed - SETTLED))
        told = f"< {limit:.1f} s, less than a poll is held"
        if took >= limit:  # a busy machine is late once, a server that wakes nobody every time
            later = context.submit("optim_step", bodies.optim(model, 4))
            took = woken(context, later, model, 3)[1]
        expect(took < limit, "waiters are woken when the work is done", told, f"{took:.2f} s")
    with context.check("futures/wake/abandoned-poll"):
        parked.poll().require(200)


def woken(
    context: ScenarioContext, parked: Promised, model: str, missing: int
) -> tuple[list[Outcome], float]:
    """What three waiters are told once the missing number comes, and after how many seconds."""
    waiters = [context.aside(parked.outcome) for _ in range(3)]
    IDLE.wait(SETTLED)
    released = time.monotonic()
    context.submit("optim_step", bodies.optim(model, missing))
    outcomes = [waiter.result() for waiter in waiters]
    return outcomes, time.monotonic() - released


@scenario("futures/idempotence")
def idempotence(context: ScenarioContext) -> None:
    """A client that lost an answer sends the same operation again."""
    model, twin = context.model(), context.model()
    body = bodies.train(model, 1)
    first = context.submit("forward_backward", body)
    again = context.submit("forward_backward", body)
    with context.check("futures/repeat/same-id"):
        expect_equal(again.request_id, first.request_id, "the same promise")
    with context.check("futures/repeat/new-key"):
        headers = {"x-idempotency-key": "stainless-python-retry-second"}
        if not context.target.speaks_protobuf:
            reply = context.client.call("forward_backward", body, headers=headers).require()
            expect_equal(reply.at("/request_id"), first.request_id, "whatever the key")
    with context.check("futures/repeat/other-body"):
        other = bodies.train(model, 1, [bodies.datum(51, 52, 53)])
        expect_equal(context.submit("forward_backward", other).reply.status, 409, "a conflict")
    first.result()
    with context.check("futures/repeat/when-done"):
        done = context.submit("forward_backward", body)
        expect_equal(done.request_id, first.request_id, "the same promise, also when it is done")
    with context.check("futures/repeat/once"):
        # With a large eps the step depends on the gradient's size: work done twice shows.
        context.submit("optim_step", bodies.optim(model, 2, 0.01, beta1=0.0, eps=1.0)).result()
        twins = [trained_once(context, other) for other in (twin, context.model())]
        if max(abs(a - b) for a, b in zip(*twins, strict=True)) > context.target.nats:
            raise Inapplicable("equal models do not train alike here (models/create/same-seed)")
        seen = bodies.logprobs(context.submit("forward", bodies.forward(model, 3)).result())
        context.alike(seen, twins[0], "repeated work counts once")


def trained_once(context: ScenarioContext, model: str) -> list[float]:
    """What a model says after one step without any repetition."""
    context.submit("forward_backward", bodies.train(model, 1)).result()
    context.submit("optim_step", bodies.optim(model, 2, 0.01, beta1=0.0, eps=1.0)).result()
    return bodies.logprobs(context.submit("forward", bodies.forward(model, 3)).result())


@scenario("futures/many-at-once")
def many_at_once(context: ScenarioContext) -> None:
    """One poll for a whole sampling session, and work that nobody waits for any more."""
    sampler = context.sampler()
    sampled = [context.submit("asample", bodies.sample(sampler, number)) for number in range(3)]
    for one in sampled:
        one.result()
    target = {"type": "sampling_session", "sampling_session_id": sampler, "cloned_sampler_id": 0}
    poll = {"target": target, "prev_cursor": 0, "timeout": 0.0, "retrieved_request_ids": []}
    reply = context.client.call("retrieve_futures", poll)
    cursor = reply.require().at("/cursor")
    rest = context.client.call("retrieve_futures", {**poll, "prev_cursor": cursor})
    with context.check("futures/session-poll/completions"):
        listed = {one["request_id"] for one in reply.require().at("/completions")}
        expect_equal(listed, {one.request_id for one in sampled}, "all finished requests")
    with context.check("futures/session-poll/cursor"):
        rest.require()
        expect_equal((rest.at("/completions"), rest.at("/cursor")), ([], cursor), "nothing new")
    with context.check("futures/session-poll/no-wait"):
        expect(rest.elapsed < 2.0, "timeout 0 does not wait", "< 2 s", rest.elapsed)
    cancelled = context.submit("asample", bodies.sample(sampler, 20, max_tokens=200))
    with context.check("futures/cancel/accepted"):
        context.client.call("cancel_future", {"request_id": cancelled.request_id}).require()
    with context.check("futures/cancel/terminal"):
        cancelled.outcome(10.0)


@scenario("futures/large-results")
def large_results(context: ScenarioContext) -> None:
    """A result that is only announced at first."""
    model = context.model()
    data = [bodies.datum(*range(20, 40))] * 400
    work = context.submit("forward", bodies.forward(model, 1, data=data))
    work.result()
    offered = work.poll(allow_metadata_only=True).require(200)
    with context.check("futures/metadata/size"):
        told = offered.json() if offered.media_type == "application/json" else {}
        if told.get("status") != "complete_metadata":
            raise Inapplicable("the server sends such results at once")
        size = len(work.poll(allow_metadata_only=False).require(200).body)
        expect_equal(told["response_payload_size"], size, "the size of what then comes")
