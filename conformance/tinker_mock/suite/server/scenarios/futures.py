"""Promises: submitted at once, run in order, waited for, read again."""

import time
from concurrent.futures import wait
from contextlib import suppress

from tinker_mock.suite.core import bodies
from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.promises import IDLE, Outcome, pending
from tinker_mock.suite.core.scenario import scenario
from tinker_mock.suite.core.verdict import Unmet, expect, expect_all_close, expect_equal

OVERTAKEN = 0.7
"""Seconds in which an operation that does not wait for its predecessors would be done."""
SETTLED = 0.2
"""Seconds until polls that were just sent are surely parked on the server."""
QUEUE_STATES = ("active", "paused_capacity", "paused_rate_limit")


@scenario(
    "futures/submit-and-poll",
    "futures/submit/answer",
    "futures/result/again",
    "futures/result/same",
    "futures/result/no-error-key",
    "futures/metadata/not-unasked",
    "futures/metadata/then-result",
    "futures/request/extra-headers",
)
def submit_and_poll(stage: Stage) -> None:
    """Submit, wait, read; and read again."""
    model = stage.model()
    submitted = stage.submit("optim_step", bodies.optim(model, 1))
    with stage.check("futures/submit/answer"):
        answer = submitted.reply.require().json()
        expect(isinstance(answer.get("request_id"), str), "a request id", "string", answer)
    outcome = submitted.result()
    with stage.check("futures/result/no-error-key"):
        expect("error" not in outcome.value, "a result has no key error", "", outcome.value)
    with stage.check("futures/metadata/not-unasked"):
        status = submitted.poll().json().get("status")
        expect(status != "complete_metadata", "the result itself", "", status)
    with stage.check("futures/result/again"):
        submitted.poll().require(200)
    with stage.check("futures/result/same"):
        expect_equal(submitted.poll().body, outcome.reply.body, "the same bytes again")
    with stage.check("futures/metadata/then-result"):
        offered = submitted.poll(allow_metadata_only=True).require(200).json()
        if offered.get("status") == "complete_metadata":
            size = offered.get("response_payload_size")
            expect(type(size) is int and size >= 0, "a size in bytes", "int", offered)
        full = submitted.poll(allow_metadata_only=False).require(200)
        expect_equal(full.json(), outcome.value, "the withheld result follows")
    with stage.check("futures/request/extra-headers"):
        headers = {
            "x-tinker-request-iteration": "3",
            "x-tinker-request-type": "OptimStep",
            "x-tinker-create-promise-roundtrip-time": "0.01",
            "x-stainless-raw-response": "raw",
        }
        body = {"request_id": submitted.request_id}
        stage.hands.call("retrieve_future", body, headers=headers).require(200)


@scenario(
    "futures/unknown",
    "futures/unknown/terminal",
    "futures/unknown/at-once",
    "futures/unknown/404",
    "futures/unknown/odd-id",
    "futures/request/id-required",
)
def unknown(stage: Stage) -> None:
    """A promise that never was."""
    body = {"request_id": "11111111-2222-3333-4444-555555555555"}
    began = time.monotonic()
    reply = stage.hands.call("retrieve_future", body, timeout=stage.target.long_poll)
    took = time.monotonic() - began
    with stage.check("futures/unknown/terminal"):
        retried = pending(reply) or reply.status in (402, 408, 410, 429) or reply.status >= 500
        final = not retried and (reply.status >= 400 or "error" in reply.json())
        expect(final, "an unknown id is final", "4xx that no client retries", reply.status)
    with stage.check("futures/unknown/at-once"):
        expect(took < 5.0, "an unknown id is answered at once", "< 5 s", f"{took:.1f} s")
    with stage.check("futures/unknown/404"):
        expect_equal(reply.status, 404, "not found")
    with stage.check("futures/unknown/odd-id"):
        odd = stage.hands.call("retrieve_future", {"request_id": "no/such ïd"})
        expect(400 <= odd.status < 500, "any text is an id", "4xx", odd.status)
    with stage.check("futures/request/id-required"):
        bare = stage.hands.call("retrieve_future", {}, wrong=True)
        expect(400 <= bare.status < 500 and bare.status != 408, "refused", "4xx", bare.status)


@scenario(
    "futures/failure",
    "futures/failure/terminal",
    "futures/failure/at-once",
    "futures/failure/message",
    "futures/failure/category",
    "futures/failure/user",
    "futures/failure/lane-goes-on",
    "futures/failure/again",
)
def failure(stage: Stage) -> None:
    """Work that was accepted and then failed."""
    model = stage.model()
    broken = bodies.datum()
    del broken["loss_fn_inputs"]["target_tokens"]
    began = time.monotonic()
    submitted = stage.submit("forward_backward", bodies.train(model, 1, [broken]), wrong=True)
    outcome = submitted.outcome()
    took = time.monotonic() - began
    with stage.check("futures/failure/message"):
        expect(outcome.failed, "data without target_tokens fail", "an error", outcome.value)
        told = outcome.error
        expect("target_tokens" in told, "the field is named", "target_tokens", told)
    if not outcome.failed:
        model = stage.model()
        nowhere = f"tinker://{model}/weights/never-saved"
        began = time.monotonic()
        submitted = stage.submit("load_weights", bodies.load(model, 1, nowhere))
        outcome = submitted.outcome()
        took = time.monotonic() - began
    expect(outcome.failed, "bad data or an unknown path fail", "an error", outcome.value)
    reply = outcome.reply
    with stage.check("futures/failure/terminal"):
        retried = reply.status >= 500 or reply.status in (402, 408, 409, 410, 429)
        expect(not retried, "a failure is final", "4xx, or 200 with error", reply.status)
    with stage.check("futures/failure/lane-goes-on"):
        accepted = 200 <= submitted.reply.status < 300
        again = bodies.train(model, 2 if accepted else 1)
        stage.submit("forward_backward", again).result()
    with stage.check("futures/failure/at-once"):
        expect(took < 5.0, "a failure is known soon", "< 5 s", f"{took:.1f} s")
    with stage.check("futures/failure/category"):
        if reply.status == 200:
            known = ("unknown", "server", "user")
            expect(reply.at("/category") in known, "a known category", known, reply.text)
    with stage.check("futures/failure/user"):
        blamed = 400 <= reply.status < 500 or reply.at("/category") == "user"
        expect(blamed, "the user is blamed", "4xx or category user", reply.text)
    with stage.check("futures/failure/again"):
        if reply.name == "retrieve_future":
            expect_equal(submitted.poll().status, reply.status, "the same failure again")


@scenario(
    "futures/ordering",
    "futures/order/early-accepted",
    "futures/order/early-waits",
    "futures/order/all-finish",
    "futures/order/by-seq-id",
    "futures/order/other-models",
)
def ordering(stage: Stage) -> None:
    """Later chunks arrive before the first one, as SDKs from 0.20 send them."""
    session = stage.session()
    model, other = stage.model(session), stage.model(session)
    began = time.monotonic()
    step = stage.submit("optim_step", bodies.optim(model, 2))
    look = stage.submit("forward_backward", bodies.train(model, 3))
    with stage.check("futures/order/early-accepted"):
        step.reply.require()
        look.reply.require()
        expect(time.monotonic() - began < 5, "accepted before its predecessor", "< 5 s")
    waiting = stage.aside(look.outcome)
    early = stage.aside(lambda: step.poll(timeout=stage.target.long_poll))
    with stage.check("futures/order/other-models"):
        stage.submit("optim_step", bodies.optim(other, 1)).result(5.0)
    with stage.check("futures/order/early-waits"):
        wait([early], timeout=OVERTAKEN)
        quick = early.done() and not pending(early.result())
        expect(not quick, "an operation waits for its predecessors", "pending", "a result")
    first = stage.submit("forward_backward", bodies.train(model, 1))
    with stage.check("futures/order/all-finish"):
        first.result()
        step.result()
        expect(not waiting.result().failed, "all of them finish", "results")
    with stage.check("futures/order/by-seq-id"):
        changed = bodies.logprobs(waiting.result())
        expect(
            changed != bodies.logprobs(first.result()), "seq 3 sees the step of seq 2", "changed"
        )


def pending_form(stage: Stage, reply: Reply, request_id: str) -> None:
    """How a poll says that there is nothing yet."""
    with stage.check("futures/order/pending-form"):
        expect(pending(reply), "pending is 408 or 200 try_again", "408", reply.status)
    with stage.check("futures/order/pending-body"):
        body = reply.json()
        expect_equal(body.get("type"), "try_again", "the body says try_again")
        expect_equal(body.get("request_id", request_id), request_id, "its own id, if any")
    with stage.check("futures/order/queue-state"):
        state = reply.at("/queue_state")
        expect(state in QUEUE_STATES, "a known queue state", QUEUE_STATES, state)


@scenario(
    "futures/waiting",
    "futures/hold/within-45s",
    "futures/hold/not-at-once",
    "futures/order/pending-form",
    "futures/order/pending-body",
    "futures/order/queue-state",
    "futures/wake/soon",
    "futures/wake/all-waiters",
    "futures/wake/abandoned-poll",
    patient=True,
)
def waiting(stage: Stage) -> None:
    """The server holds a poll, and wakes it when there is news."""
    model = stage.model()
    parked = stage.submit("optim_step", bodies.optim(model, 2))
    replies: list[Reply] = []
    with stage.check("futures/hold/within-45s"):
        replies.append(parked.poll())
    expect(replies, "a poll is answered in time", f"< {stage.target.long_poll} s", "no answer")
    reply = replies[0]
    decided = reply.status == 200 and not pending(reply)
    expect(not decided, "an operation waits for its predecessors", "pending", reply.text)
    pending_form(stage, reply, parked.request_id)
    with stage.check("futures/hold/not-at-once"):
        expect(reply.elapsed > 0.5, "a poll is held", "> 0.5 s", f"{reply.elapsed:.2f} s")
    with suppress(Unmet):
        parked.poll(timeout=0.3)
    waiters = [stage.aside(parked.outcome) for _ in range(3)]
    IDLE.wait(SETTLED)
    released = time.monotonic()
    stage.submit("optim_step", bodies.optim(model, 1))
    outcomes: list[Outcome] = [waiter.result() for waiter in waiters]
    took = time.monotonic() - released
    with stage.check("futures/wake/all-waiters"):
        expect(not any(one.failed for one in outcomes), "each waiter gets the result", "3 results")
    with stage.check("futures/wake/soon"):
        expect(took < 3.0, "waiters are woken when the work is done", "< 3 s", f"{took:.2f} s")
    with stage.check("futures/wake/abandoned-poll"):
        parked.poll().require(200)


@scenario(
    "futures/idempotence",
    "futures/repeat/same-id",
    "futures/repeat/once",
    "futures/repeat/other-body",
    "futures/repeat/new-key",
)
def idempotence(stage: Stage) -> None:
    """A client that lost an answer sends the same operation again."""
    model, twin = stage.model(), stage.model()
    body = bodies.train(model, 1)
    first = stage.submit("forward_backward", body)
    again = stage.submit("forward_backward", body)
    with stage.check("futures/repeat/same-id"):
        expect_equal(again.request_id, first.request_id, "the same promise")
    with stage.check("futures/repeat/new-key"):
        headers = {"x-idempotency-key": "stainless-python-retry-second"}
        if not stage.target.speaks_protobuf:
            reply = stage.hands.call("forward_backward", body, headers=headers).require()
            expect_equal(reply.at("/request_id"), first.request_id, "whatever the key")
    with stage.check("futures/repeat/other-body"):
        other = bodies.train(model, 1, [bodies.datum(51, 52, 53)])
        expect_equal(stage.submit("forward_backward", other).reply.status, 409, "a conflict")
    first.result()
    with stage.check("futures/repeat/once"):
        # With a large eps the step depends on the gradient's size: work done twice shows.
        stage.submit("optim_step", bodies.optim(model, 2, 0.01, beta1=0.0, eps=1.0)).result()
        stage.submit("forward_backward", bodies.train(twin, 1)).result()
        stage.submit("optim_step", bodies.optim(twin, 2, 0.01, beta1=0.0, eps=1.0)).result()
        one = stage.submit("forward_backward", bodies.train(model, 3)).result()
        two = stage.submit("forward_backward", bodies.train(twin, 3)).result()
        left, right = bodies.logprobs(one), bodies.logprobs(two)
        expect_all_close(left, right, 1e-4, "repeated work counts once")


@scenario(
    "futures/many-at-once",
    "futures/session-poll/completions",
    "futures/session-poll/cursor",
    "futures/session-poll/no-wait",
    "futures/cancel/accepted",
    "futures/cancel/terminal",
)
def many_at_once(stage: Stage) -> None:
    """One poll for a whole sampling session, and work that nobody waits for any more."""
    sampler = stage.sampler()
    sampled = [stage.submit("asample", bodies.sample(sampler, number)) for number in range(3)]
    for one in sampled:
        one.result()
    target = {"type": "sampling_session", "sampling_session_id": sampler, "cloned_sampler_id": 0}
    poll = {"target": target, "prev_cursor": 0, "timeout": 0.0, "retrieved_request_ids": []}
    reply = stage.hands.call("retrieve_futures", poll)
    cursor = reply.require().at("/cursor")
    rest = stage.hands.call("retrieve_futures", {**poll, "prev_cursor": cursor})
    with stage.check("futures/session-poll/completions"):
        listed = {one["request_id"] for one in reply.require().at("/completions")}
        expect_equal(listed, {one.request_id for one in sampled}, "all finished requests")
    with stage.check("futures/session-poll/cursor"):
        rest.require()
        expect_equal((rest.at("/completions"), rest.at("/cursor")), ([], cursor), "nothing new")
    with stage.check("futures/session-poll/no-wait"):
        expect(rest.elapsed < 2.0, "timeout 0 does not wait", "< 2 s", rest.elapsed)
    cancelled = stage.submit("asample", bodies.sample(sampler, 20, max_tokens=200))
    with stage.check("futures/cancel/accepted"):
        stage.hands.call("cancel_future", {"request_id": cancelled.request_id}).require()
    with stage.check("futures/cancel/terminal"):
        cancelled.outcome(10.0)
