"""Optimizer steps by value: equal moves by unequal ways."""

from collections.abc import Sequence

import numpy as np

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import Inapplicable, expect
from tinker_mock.suite.oracle.adam import Step, travelled
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import PLAIN, SIGNS, TEXT, Bench, Floats
from tinker_mock.suite.server.scenario import scenario

LARGE = 1e6
"""An eps beside which a gradient of 1 is nothing, for the oracle."""
NORM = "unclipped_grad_l2:mean"


@scenario("training/adam-rates")
def rates(context: ScenarioContext) -> None:
    """The rate, the gradient's size, eps."""
    bench = Bench(context)
    plain, signs = bench.plain, bench.signs
    three = [bodies.datum(*TEXT, weight=3.0)]
    with context.check("training/adam/scale-free"):
        got, want = bench.moved(signs, SIGNS, three), bench.moved(signs, SIGNS)
        bench.same(got, want, "a step does not depend on the gradient's size")
    with context.check("training/adam/rate"):
        model = bench.fresh()
        for rate in (signs / 4, 3 * signs / 4):
            model.gather([bodies.datum(*TEXT)])
            model.step(rate, **SIGNS)
        want = bench.moved(signs, SIGNS)
        bench.same(model.look() - bench.base, want, "steps add up to the sum of their rates", 5)
        twice = bench.fresh()
        for _ in "12":
            twice.gather([bodies.datum(*TEXT)])
        twice.step(plain, **PLAIN)
        got = bench.moved(2 * plain, PLAIN)
        bench.same(got, twice.look() - bench.base, "twice the rate is twice the gradient", 5)
        less = np.abs(bench.moved(signs / 4, SIGNS)).max()
        expect(less < 0.6 * np.abs(want).max(), "a quarter of the rate moves less", want, less)
    with context.check("training/adam/eps"):
        got, want = bench.moved(plain, PLAIN, three), bench.moved(3 * plain, PLAIN)
        bench.same(got, want, "with a large eps a step is rate / eps times the gradient", 5)
        doubled = bench.moved(2 * plain, {**PLAIN, "eps": 2 * PLAIN["eps"]})
        bench.same(doubled, bench.moved(plain, PLAIN), "twice the eps, twice the rate", 5)
    with context.check("training/adam/bias-correction"):
        corrected = bench.moved(signs, {"beta1": 0.9, "beta2": 0.95, "eps": 1e-12})
        bench.same(corrected, bench.moved(signs, SIGNS), "a first step is the same for all betas")
    with context.check("training/optim/defaults-value"):
        model = bench.fresh()
        model.gather([bodies.datum(*TEXT)])
        number = context.number(model.model)
        body = {"adam_params": {"learning_rate": signs}, "model_id": model.model, "seq_id": number}
        context.submit("optim_step", {**body, "type": "optim_step"}).result()
        model.idle()
        for _ in "1234":
            body["seq_id"] = context.number(model.model)
            context.submit("optim_step", {**body, "type": "optim_step"}).result()
        told = {"beta1": 0.9, "beta2": 0.95, "eps": 1e-12}
        want = coasted(bench, [signs] * 2, told, gradients=(1, 0), more=3)
        bench.same(model.look() - bench.base, want, "0.9, 0.95 and 1e-12 where left out")
    if context.applies("training/optim/adamw-typed-value"):
        with context.check("training/optim/adamw-typed-value"):
            model = bench.fresh()
            model.gather([bodies.datum(*TEXT)])
            params = {"type": "adamw", "learning_rate": signs, **SIGNS}
            body = {"optimizer_params": params, "model_id": model.model, "type": "optim_step"}
            body["seq_id"] = context.number(model.model)
            context.submit("optim_step", body).result()
            bench.same(model.look() - bench.base, bench.moved(signs, SIGNS), "as adam_params")


def coasted(
    bench: Bench,
    rates: Sequence[float],
    params: dict[str, float],
    gradients: Sequence[int],
    more: int = 0,
) -> Floats:
    """The log-probabilities' change by steps, gradient by gradient, and `more` without any."""
    model = bench.fresh()
    for rate, gradient in zip(rates, gradients, strict=True):
        if gradient:
            model.gather([bodies.datum(*TEXT)])
        else:
            model.idle()
        model.step(rate, **params)
    for _ in range(more):
        model.step(rates[-1], **params)
    return model.look() - bench.base


def as_one(rate: float, betas: dict[str, float], gradients: Sequence[int], eps: float) -> float:
    """The rate of a single step without momentum that moves as far as these steps."""
    steps = [Step(float(g), rate, betas["beta1"], betas["beta2"], eps) for g in gradients]
    single = travelled([Step(1.0, 1.0, eps=eps)])
    return travelled(steps) / single


MOMENTS = {
    "training/adam/beta1": (PLAIN, LARGE, {"beta1": 0.6, "beta2": 0.8}, (1, 0)),
    "training/adam/beta2": (SIGNS, 0.0, {"beta1": 0.9, "beta2": 0.5}, (1, 0, 0)),
    "training/adam/betas-apart": (SIGNS, 0.0, {"beta1": 0.3, "beta2": 0.99}, (1, 0)),
    "training/adam/moments-age": (PLAIN, LARGE, {"beta1": 0.5, "beta2": 0.9}, (1, 0, 0, 1)),
}
"""Check → which eps (for us, for the oracle), betas, and the sizes of the gradients."""


@scenario("training/adam-moments")
def moments(context: ScenarioContext) -> None:
    """Steps behind a gradient go on as the betas say."""
    bench = Bench(context)
    for check, (regime, eps, betas, gradients) in MOMENTS.items():
        with context.check(check):
            whole = (bench.plain if regime is PLAIN else bench.signs) / 2
            rate = whole / as_one(1.0, betas, gradients, eps)
            got = coasted(bench, [rate] * len(gradients), {**regime, **betas}, gradients)
            slack = 12 if gradients.count(1) > 1 else 5
            bench.same(got, bench.moved(whole, regime), f"{gradients} with {betas}", slack)


@scenario("training/adam-decay")
def decay(context: ScenarioContext) -> None:
    """Decay is decoupled: the parameter times rate times weight_decay."""
    bench = Bench(context)
    rate = bench.plain

    def decayed(share: float) -> Floats:
        model = bench.fresh()
        model.gather([bodies.datum(*TEXT)])
        model.step(rate, **PLAIN)
        model.idle()
        model.step(rate, weight_decay=share / rate, **PLAIN)
        return model.look() - bench.base

    moved = bench.moved(rate, PLAIN)
    with context.check("training/adam/decay-whole"):
        bench.same(decayed(1.0), 0 * moved, "rate x weight_decay = 1 takes everything back")
    with context.check("training/adam/decay-half"):
        left = float(np.abs(decayed(0.5)).max() / np.abs(moved).max())
        expect(0.15 < left < 0.65, "half of it, of one or both LoRA factors", "0.25 to 0.5", left)
    with context.check("training/adam/decay-none"):
        bench.same(decayed(0.0), moved, "without weight_decay nothing decays")


@scenario("training/adam-clipping")
def clipping(context: ScenarioContext) -> None:
    """grad_clip_norm bounds the norm of the whole gradient."""
    bench = Bench(context)
    rate, three = bench.plain, [bodies.datum(*TEXT, weight=3.0)]
    model = bench.fresh()
    model.gather([bodies.datum(*TEXT)])
    told = model.step(rate, grad_clip_norm=1e9, **PLAIN)
    free = bench.moved(rate, PLAIN)
    with context.check("training/adam/clip-inactive"):
        bench.same(model.look() - bench.base, free, "a limit above the norm changes nothing")
    limit = 1e-4
    wide = rate * 4
    for _ in range(6):
        size = float(np.abs(bench.moved(wide, {**PLAIN, "grad_clip_norm": limit})).max())
        if size > 0.02 or not size:
            break
        wide *= min(100.0, 0.1 / size)
    with context.check("training/adam/clip-norm"):
        want = bench.moved(wide, {**PLAIN, "grad_clip_norm": limit})
        got = bench.moved(wide, {**PLAIN, "grad_clip_norm": limit}, three)
        bench.same(got, want, "clipped gradients are equally long")
        half = bench.moved(wide / 2, {**PLAIN, "grad_clip_norm": 2 * limit})
        bench.same(half, want, "twice the limit, half the rate", 3)
        norm = limit * wide / rate * float(np.linalg.norm(free) / np.linalg.norm(want))
        cut = bench.moved(2 * rate, {**PLAIN, "grad_clip_norm": norm / 2})
        bench.same(cut, free, "the norm is that of the whole gradient", 10)
        uneven = [bodies.datum(*TEXT, weights=bodies.tensor([4.0, 1.0, 0.25, 2.0, 0.5]))]
        free = bench.moved(rate / 4, PLAIN, uneven)
        want = bench.moved(wide, {**PLAIN, "grad_clip_norm": limit}, uneven)
        towards = float(np.dot(want, free) / np.linalg.norm(want) / np.linalg.norm(free))
        expect(towards > 0.99, "clipping keeps the direction", "> 0.99", towards)
    with context.check("training/adam/clip-told"):
        length = (told.value.get("metrics") or {}).get(NORM)
        if not length:
            raise Inapplicable("no step tells the norm of its gradient")
        clipped = {**PLAIN, "grad_clip_norm": length / 2}
        free = bench.moved(rate, PLAIN)
        bench.same(bench.moved(2 * rate, clipped), free, "half of the norm that was told", 3)
        again = bench.fresh()
        again.gather([bodies.datum(*TEXT)])
        short = (again.step(rate, **clipped).value.get("metrics") or {}).get(NORM, 0.0)
        same = bench.tolerance.worst(short, length) <= 1
        expect(same, "the norm before clipping", length, short)
