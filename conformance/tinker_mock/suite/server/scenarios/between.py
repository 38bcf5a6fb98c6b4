"""What stands between a pass and its step: the gradient waits, and settings are a pass's own."""

from collections.abc import Callable, Mapping

import numpy as np

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.verdict import Inapplicable, expect
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import OTHER, PLAIN, SIGNS, TEXT, Bench, Data, Trainee
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.suite.server.scenarios.losses import LONG, TOLD, VALUES, expected, policy_data


def saved(bench: Bench, model: Trainee) -> None:
    """A checkpoint of the model as it is."""
    context = bench.context
    body = bodies.save(model.model, context.number(model.model), "between")
    path = str(context.submit("save_weights", body).result().at("/path"))
    context.delete_checkpoint_later(path)


def sampled(bench: Bench, model: Trainee) -> None:
    """A sampler of the model as it is, and a sample."""
    context, number = bench.context, bench.context.number(model.model)
    fields = {"sampling_session_seq_id": context.next_sampler(bench.session)}
    body = bodies.save_sampler(model.model, number, **fields)
    made = context.submit("save_weights_for_sampler", body).result()
    asked = bodies.sample(str(made.at("/sampling_session_id")), 1)
    context.submit("asample", asked).result()


def refused(bench: Bench, model: Trainee) -> None:
    """A pass whose loss lacks its inputs."""
    context = bench.context
    data = [bodies.datum(*TEXT)]
    body = bodies.train(model.model, context.number(model.model), data, "importance_sampling")
    tried = context.submit("forward_backward", body, wrong=True).outcome()
    if not tried.failed:
        raise Inapplicable("importance_sampling without advantages is taken")
    if tried.reply.status >= 400:
        context.give_back(model.model)


def looked_at(bench: Bench, model: Trainee) -> None:
    """A forward pass."""
    model.look()


Meanwhile = Callable[[Bench, Trainee], None]
WAITING: dict[str, tuple[str, Meanwhile]] = {
    "training/gradient/over-forward": ("a forward pass", looked_at),
    "training/gradient/over-save": ("save_weights", saved),
    "training/gradient/over-sampler": ("save_weights_for_sampler", sampled),
    "training/gradient/over-refusal": ("a refused pass", refused),
}
"""Check → what happens between two passes and their step."""


@scenario("training/between")
def between(context: ScenarioContext) -> None:
    """Two passes, something in between, and the step of both."""
    bench = Bench(context)
    rate = bench.plain
    one, two = bodies.datum(*TEXT), bodies.datum(*OTHER)
    both = bench.moved(rate, PLAIN, [one, two])
    for check, (what, meanwhile) in WAITING.items():
        with context.check(check):
            model = bench.fresh()
            model.gather([one])
            meanwhile(bench, model)
            model.gather([two])
            model.step(rate, **PLAIN)
            bench.same(model.look() - bench.base, both, f"{what} leaves the gradient as it is")
    with context.check("training/gradient/mixed"):
        logprobs = bench.fresh().look([bodies.datum(*LONG)])
        slopes = expected("importance_sampling", logprobs, {}).slopes
        alike = bodies.datum(*LONG, weights=bodies.tensor((-slopes).tolist()))
        model = bench.fresh()
        model.gather([one])
        model.gather([policy_data(logprobs)], "importance_sampling")
        model.step(rate, **PLAIN)
        want = bench.moved(rate, PLAIN, [one, alike])
        bench.same(model.look() - bench.base, want, "passes of two losses add up", 3)
    with context.check("training/adam/clip-accumulated"):
        limit, wide = {**SIGNS, **PLAIN, "grad_clip_norm": 1e-4}, rate * 1e4
        model = bench.fresh()
        for _ in "123":
            model.gather([one])
        model.step(wide, **limit)
        want = bench.moved(wide, limit, [bodies.datum(*TEXT, weight=3.0)])
        expect(np.abs(want).max() > 1e-4, "a clipped step is seen", "a change", want.tolist())
        bench.same(model.look() - bench.base, want, "the norm is that of all passes together", 3)


def looked(model: Trainee, data: Data, name: str, config: Mapping[str, float] | None) -> Outcome:
    """A forward pass with a loss."""
    number = model.context.number(model.model)
    body = bodies.forward(model.model, number, data=data, loss_fn=name, config=config)
    return model.context.submit("forward", body).result()


def total(result: Outcome) -> float:
    """loss:sum; Inapplicable where it is not told."""
    told = result.at("/metrics").get("loss:sum")
    if told is None:
        raise Inapplicable("loss:sum is not told")
    return float(told)


FORWARD = {
    "training/forward/loss-importance_sampling": "importance_sampling",
    "training/forward/loss-ppo": "ppo",
    "training/forward/loss-cispo": "cispo",
    "training/forward/loss-dro": "dro",
}


@scenario("training/forward-losses")
def forward_losses(context: ScenarioContext) -> None:
    """forward tells what forward_backward would, of every loss; settings last for their pass."""
    bench = Bench(context)
    model = bench.fresh()
    logprobs = model.look([bodies.datum(*LONG)])
    data = [policy_data(logprobs)]

    def equal(got: float, want: float, what: str) -> None:
        expect(bench.tolerance.worst(got, want, 1.0) <= 1, what, want, got)

    for check, name in FORWARD.items():
        if not context.applies(check):
            continue
        with context.check(check):
            for config in TOLD[name]:
                settings = config or None
                passed = model.gather(data, name, settings)
                seen = looked(model, data, name, settings)
                equal(total(seen), total(passed), f"loss:sum of {name} with {config or 'nothing'}")
                rows = bodies.logprobs(seen), bodies.logprobs(passed)
                context.alike(*rows, "the same log-probabilities")
    with context.check("training/loss/settings-own"):
        for name in VALUES.values():
            if name == "gspo" or not TOLD[name][1]:
                continue
            own = bench.fresh()
            want = total(own.gather(data, name))
            own.gather(data, name, TOLD[name][1])
            equal(total(own.gather(data, name)), want, f"{name} without settings, after others")
