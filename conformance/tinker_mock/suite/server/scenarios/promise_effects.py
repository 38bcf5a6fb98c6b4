"""Order, repetition and failure by what they do to a model."""

from functools import partial
from typing import Any

import numpy as np

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import expect, expect_equal, in_order
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import PLAIN, TEXT, Bench
from tinker_mock.suite.server.scenario import scenario

HEAVY = {"beta1": 0.9, "beta2": 0.0, "eps": 100.0}
"""A step that is done twice moves twice: the second by what is left of the momentum."""


@scenario("futures/order-effects")
def order(context: ScenarioContext) -> None:
    """Four operations arrive as 4, 3, 2, 1 and run as 1, 2, 3, 4."""
    bench = Bench(context)
    model = context.model(bench.session)
    with context.check("futures/order/reversed"):
        data = [bodies.datum(*TEXT)]
        last = context.submit("forward_backward", bodies.train(model, 4, data))
        step = context.submit("optim_step", bodies.optim(model, 3, bench.plain, **PLAIN))
        second = context.submit("forward_backward", bodies.train(model, 2, data))
        first = context.submit("forward_backward", bodies.train(model, 1, data))
        seen = [np.array(bodies.logprobs(one.result())) for one in (first, second, last)]
        step.result()
        own = bench.base[: len(TEXT) - 1]
        with in_order():
            bench.same(seen[0], own, "1 sees the new model")
            bench.same(seen[1], own, "2 sees it too: there was no step yet")
        want = bench.moved(bench.plain, PLAIN, [bodies.datum(*TEXT, weight=2.0)])[: len(TEXT) - 1]
        bench.same(seen[2] - own, want, "4 sees the step of 3, with the gradients of 1 and 2", 5)


@scenario("futures/repeat-effects")
def repeats(context: ScenarioContext) -> None:
    """Work that is sent several times is done once."""
    bench = Bench(context)
    rate = bench.plain
    single = bench.fresh()
    single.gather([bodies.datum(*TEXT)])
    single.step(rate, **HEAVY)
    want = single.look() - bench.base
    with context.check("futures/repeat/step-once"):
        model = bench.fresh()
        model.gather([bodies.datum(*TEXT)])
        body = bodies.optim(model.model, context.number(model.model), rate, **HEAVY)
        send = partial(context.submit, "optim_step", body)
        sent = [context.aside(send) for _ in range(4)]
        names = {one.result().request_id for one in sent}
        expect_equal(len(names), 1, "at the same time: one promise")
        (name,) = names
        for _ in range(3):  # a server may do it again a moment after its answer
            expect_equal(send().request_id, name, "also when it is done")
            send().result()
            bench.same(model.look() - bench.base, want, "the step is done once")
    with context.check("futures/repeat/pass-once"):
        model = bench.fresh()
        body = bodies.train(model.model, context.number(model.model), [bodies.datum(*TEXT)])
        for _ in range(3):
            context.submit("forward_backward", body).result()
        model.step(rate, **HEAVY)
        bench.same(model.look() - bench.base, want, "the gradient counts once")
    creation(context, bench)


def creation(context: ScenarioContext, bench: Bench) -> None:
    """create_model under a number that is taken."""
    number = context.next_model(bench.session)
    first = context.create_model(bench.session, model_seq_id=number)
    with context.check("models/create/repeat"):
        again = context.create_model(bench.session, model_seq_id=number)
        expect_equal(again.request_id, first.request_id, "the same promise")
        model = str(first.result().at("/model_id"))
        expect_equal(str(again.result().at("/model_id")), model, "the same model")
    with context.check("models/create/repeat-other"):
        other = {"model_seq_id": number, "lora_config": {"rank": 4, "seed": 9}}
        tried = context.create_model(bench.session, wrong=True, **other).outcome()
        expect(tried.failed, "another model under that number is refused", "409", tried.value)


@scenario("futures/failure-effects")
def failures(context: ScenarioContext) -> None:
    """What failed or was cancelled leaves no trace."""
    bench = Bench(context)
    with context.check("futures/failure/told"):
        model = context.model(bench.session)
        tried = context.submit("forward", bodies.forward(model, 1, data=[broken()]), wrong=True)
        expect(tried.outcome().failed, "data without targets fail", "an error", "a result")
    with context.check("training/refused/no-trace"):
        trainee = bench.fresh()
        number = context.number(trainee.model)
        work = bodies.train(trainee.model, number, [bodies.datum(*TEXT), beyond()])
        refused = context.submit("forward_backward", work, wrong=True).outcome()
        expect(refused.failed, "a token that does not exist fails", "an error", refused.value)
        if refused.reply.name == "forward_backward":
            context.give_back(trainee.model)
        trainee.idle()
        trainee.step(bench.plain, **PLAIN)
        bench.same(trainee.look(), bench.base, "a refused batch leaves no gradient")
    if context.applies("futures/cancel/effect"):
        with context.check("futures/cancel/effect"):
            trainee = bench.fresh()
            trainee.gather([bodies.datum(*TEXT)])
            name = trainee.model
            waiting = context.submit("optim_step", bodies.optim(name, 3, bench.plain, **PLAIN))
            context.client.call("cancel_future", {"request_id": waiting.request_id}).require()
            trainee.idle()
            context.number(name)
            bench.same(trainee.look(), bench.base, "a cancelled step is not done")


def broken() -> dict[str, Any]:
    """A datum without targets."""
    datum = bodies.datum(*TEXT)
    del datum["loss_fn_inputs"]["target_tokens"]
    return datum


def beyond() -> dict[str, Any]:
    """A datum whose target is no token of any model."""
    return bodies.datum(11, 12, target_tokens=bodies.tensor([999_999_999], "int64"))


@scenario("futures/session-polls")
def session_polls(context: ScenarioContext) -> None:
    """retrieve_futures tells failures too, each client its own, and none twice or never."""
    sampler = context.sampler()
    target = {"type": "sampling_session", "sampling_session_id": sampler, "cloned_sampler_id": 0}
    poll = {"target": target, "timeout": 0.0, "retrieved_request_ids": []}

    def listed(cursor: int, clone: int = 0) -> tuple[list[dict[str, Any]], int]:
        body = {**poll, "prev_cursor": cursor}
        body["target"] = {**target, "cloned_sampler_id": clone}
        reply = context.client.call("retrieve_futures", body).require()
        return list(reply.at("/completions")), int(reply.at("/cursor"))

    cancelled = context.submit("asample", bodies.sample(sampler, 1, max_tokens=4000, num_samples=8))
    context.client.call("cancel_future", {"request_id": cancelled.request_id})
    failed = cancelled.outcome(10.0).failed
    one = context.submit("asample", bodies.sample(sampler, 2))
    one.result()
    with context.check("futures/session-poll/failures"):
        states = {row["request_id"]: row["state"] for row in listed(0)[0]}
        wanted = "failed" if failed else "finished"
        expect_equal(states.get(cancelled.request_id), wanted, "what was cancelled, too")
        expect_equal(states.get(one.request_id), "finished", "and what is done")
    with context.check("futures/session-poll/each-once"):
        _, cursor = listed(0)
        more = [context.submit("asample", bodies.sample(sampler, n)) for n in (3, 4)]
        for each in more:
            each.result()
        names = [row["request_id"] for row in listed(cursor)[0]]
        expect_equal(sorted(names), sorted(m.request_id for m in more), "all that came since, once")
    with context.check("futures/session-poll/clones"):
        cloned = context.submit("asample", bodies.sample(sampler, 10**9 + 1))
        cloned.result()
        names = [row["request_id"] for row in listed(0, 1)[0]]
        expect_equal(names, [cloned.request_id], "a clone sees its own samples only")
