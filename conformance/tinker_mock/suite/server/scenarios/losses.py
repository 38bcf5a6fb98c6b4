"""Losses and their gradients by value."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import Inapplicable, expect
from tinker_mock.suite.oracle.losses import Floats, Value, loss_value
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import OTHER, PLAIN, TEXT, Bench
from tinker_mock.suite.server.scenario import scenario

LONG = (11, 12, 13, 14, 15, 16, 17, 18, 19)
GAPS = np.array([-0.5, -0.5, 0.6, 0.6, -0.1, 0.1, 0.0, 0.02])
"""How much likelier each token is than it was when it was sampled: on both sides of the clip."""
ADVANTAGES = np.array([1.0, -1.0, 1.0, -1.0, 0.5, -2.0, 1.5, 0.0])
CLIP = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
NARROW = {"clip_low_threshold": 0.95, "clip_high_threshold": 1.5}
TOLD: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "importance_sampling": ({}, {}),
    "ppo": (CLIP, NARROW),
    "cispo": (CLIP, NARROW),
    "dro": ({"beta": 0.1}, {"beta": 0.7}),
    "gspo": (CLIP, {"clip_low_threshold": 0.9, "clip_high_threshold": 1.01}),
}
VALUES = {
    "training/loss/value-importance_sampling": "importance_sampling",
    "training/loss/value-ppo": "ppo",
    "training/loss/value-cispo": "cispo",
    "training/loss/value-dro": "dro",
    "training/loss/value-gspo": "gspo",
}
SETTINGS = {
    "training/loss/settings-ppo": "ppo",
    "training/loss/settings-cispo": "cispo",
    "training/loss/settings-dro": "dro",
}
GRADIENTS = {
    "training/loss/gradient-importance_sampling": "importance_sampling",
    "training/loss/gradient-ppo": "ppo",
    "training/loss/gradient-cispo": "cispo",
    "training/loss/gradient-dro": "dro",
}


def policy_data(logprobs: Floats, **more: Any) -> dict[str, Any]:
    """Data for a policy loss whose sampling log-probabilities are GAPS below the model's."""
    inputs = {
        "target_tokens": bodies.tensor(LONG[1:], "int64"),
        "logprobs": bodies.tensor((logprobs - GAPS).tolist()),
        "advantages": bodies.tensor(ADVANTAGES.tolist()),
    }
    return {"model_input": bodies.text(*LONG[:-1]), "loss_fn_inputs": {**inputs, **more}}


def expected(name: str, logprobs: Floats, config: Mapping[str, float]) -> Value:
    """What the loss of `policy_data` must be."""
    sampled = (logprobs - GAPS).astype(np.float32).astype(np.float64)
    return loss_value(name, logprobs, sampled, ADVANTAGES, config)


@scenario("training/loss-values")
def loss_values(context: ScenarioContext) -> None:
    """loss:sum of every policy loss, with settings and with others."""
    bench = Bench(context)
    model = bench.fresh()
    logprobs = model.look([bodies.datum(*LONG)])

    def judge(name: str, config: Mapping[str, float], **more: Any) -> None:
        data = [policy_data(logprobs, **more)]
        got = float(model.gather(data, name, config or None).at("/metrics/loss:sum"))
        want = expected(name, logprobs, config).loss
        fine = bench.tolerance.worst(got, want, 1.0) <= 1
        expect(fine, f"loss:sum of {name} with {dict(config) or 'no settings'}", want, got)

    for check, name in VALUES.items():
        if context.applies(check):
            with context.check(check):
                judge(name, TOLD[name][0])
    for check, name in SETTINGS.items():
        if context.applies(check):
            with context.check(check):
                judge(name, TOLD[name][1])
    with context.check("training/loss/unknown-input"):
        for name in VALUES.values():
            data = [policy_data(logprobs, colour=bodies.tensor([1.0] * len(GAPS)))]
            body = bodies.train(model.model, context.number(model.model), data, name)
            tried = context.submit("forward_backward", body, wrong=True).outcome()
            expect(tried.failed, f"an input that {name} does not take is refused", "an error", "")
            if tried.reply.status >= 400:
                context.give_back(model.model)
    if context.applies("training/loss/datum-thresholds"):
        with context.check("training/loss/datum-thresholds"):
            count = len(GAPS)
            low, high = bodies.tensor([0.95] * count), bodies.tensor([1.5] * count)
            data = [policy_data(logprobs, clip_low_threshold=low, clip_high_threshold=high)]
            got = float(model.gather(data, "ppo", CLIP).at("/metrics/loss:sum"))
            want = expected("ppo", logprobs, NARROW).loss
            fine = bench.tolerance.worst(got, want, 1.0) <= 1
            expect(fine, "thresholds of the datum win", want, got)
    batches(context, bench)


def batches(context: ScenarioContext, bench: Bench) -> None:
    """The loss of several data, with weights of several sizes."""
    model = bench.fresh()
    seen = model.look([bodies.datum(*TEXT), bodies.datum(*OTHER)])
    weights = np.array([1.0, 0.0, -2.0, 0.5, 3.0, 1.5, 0.25, -0.5])
    split = len(TEXT) - 1
    data = [
        bodies.datum(*TEXT, weights=bodies.tensor(weights[:split].tolist())),
        bodies.datum(*OTHER, weights=bodies.tensor(weights[split:].tolist())),
    ]
    if context.applies("training/metrics/cross-entropy-batch"):
        with context.check("training/metrics/cross-entropy-batch"):
            got = float(model.gather(data).at("/metrics/loss:sum"))
            want = -float((weights * seen).sum())
            fine = bench.tolerance.worst(got, want, 1.0) <= 1
            expect(fine, "minus the weighted sum over all data", want, got)
    with context.check("training/result/logprobs-own"):
        prefixes = [bodies.datum(*TEXT[: place + 2]) for place in range(split)]
        alone = model.look(prefixes)
        ends = np.cumsum(np.arange(1, split + 1)) - 1
        bench.same(alone[ends], seen[:split], "each token's own, whatever comes behind it")
    with context.check("training/forward/precise"):
        digits = np.abs(seen * 100 - np.round(seen * 100))
        expect(digits.max() > 1e-3, "more than two digits", "precise", seen.tolist())


@scenario("training/loss-gradients")
def loss_gradients(context: ScenarioContext) -> None:
    """A policy loss moves a model as cross_entropy does whose weights are minus its derivative."""
    bench = Bench(context)
    logprobs = bench.fresh().look([bodies.datum(*LONG)])
    for check, name in GRADIENTS.items():
        with context.check(check):
            config = TOLD[name][0]
            slopes = expected(name, logprobs, config).slopes
            weighted = bodies.datum(*LONG, weights=bodies.tensor((-slopes).tolist()))
            want = bench.moved(bench.plain, PLAIN, [weighted])
            got = bench.moved(bench.plain, PLAIN, [policy_data(logprobs)], name, config or None)
            bench.same(got, want, f"the step of {name} is that of its derivative")


@scenario("training/gradients")
def gradients(context: ScenarioContext) -> None:
    """Weights scale gradients, calls and data add up, a step uses them up."""
    bench = Bench(context)
    rate = bench.plain
    one, two = bodies.datum(*TEXT), bodies.datum(*OTHER)
    with context.check("training/gradient/weights"):
        tripled = bench.moved(rate / 3, PLAIN, [bodies.datum(*TEXT, weight=3.0)])
        bench.same(tripled, bench.moved(rate, PLAIN, [one]), "three times the weight, the gradient")
    with context.check("training/gradient/negative"):
        model = bench.fresh()
        model.gather([bodies.datum(*TEXT, weight=2.0)])
        model.gather([bodies.datum(*TEXT, weight=-1.0)])
        model.step(rate, **PLAIN)
        bench.same(model.look() - bench.base, bench.moved(rate, PLAIN, [one]), "2 - 1 is 1")
    with context.check("training/gradient/sum"):
        masked = bodies.datum(*TEXT, weights=bodies.tensor([1.0, 1.0, 0.0, 0.0, 0.0]))
        want = bench.moved(rate, PLAIN, [bodies.datum(*TEXT[:3])])
        bench.same(bench.moved(rate, PLAIN, [masked]), want, "masked tokens do not thin it out")
    with context.check("training/gradient/accumulates"):
        model = bench.fresh()
        for data in ([one], [two], [one]):
            model.gather(data)
        model.step(rate, **PLAIN)
        together = bench.moved(rate, PLAIN, [one, two, one])
        bench.same(model.look() - bench.base, together, "calls add up to one call")
    with context.check("training/gradient/every-datum"):
        whole, first = bench.moved(rate, PLAIN, [one, two]), bench.moved(rate, PLAIN, [one])
        last = bench.moved(rate, PLAIN, [two])
        for alone, places in ((first, slice(0, 5)), (last, slice(5, None))):
            gained = float(whole[places].sum())
            fine = gained > 0.5 * float(alone[places].sum()) > 0
            expect(fine, "each datum gains", float(alone[places].sum()), gained)
    with context.check("training/gradient/used-up"):
        model = bench.fresh()
        model.gather([one])
        model.step(rate, **PLAIN)
        before = model.look()
        model.idle()
        model.step(rate, **PLAIN)
        bench.same(model.look() - bench.base, before - bench.base, "nothing is left for it")
    with context.check("training/forward/no-gradient"):
        model = bench.fresh()
        model.look([one])
        model.idle()
        model.step(rate, **PLAIN)
        bench.same(model.look(), bench.base, "forward leaves no gradient")
    forms(context, bench)


def forms(context: ScenarioContext, bench: Bench) -> None:
    """The same data in other forms."""
    rate, model = bench.plain, bench.fresh()
    weights = [1.0, 0.5, 2.0, 1.0, 0.25]
    plain = bodies.datum(*TEXT, weights=bodies.tensor(weights))
    with context.check("training/inputs/default-weights"):
        bare = bodies.datum(*TEXT)
        del bare["loss_fn_inputs"]["weights"]
        want = bench.moved(rate, PLAIN, [bodies.datum(*TEXT)])
        bench.same(bench.moved(rate, PLAIN, [bare]), want, "without weights each token counts 1")
    if context.applies("training/inputs/topk-value"):
        with context.check("training/inputs/topk-value"):
            asked = [(token, token + 30, token + 60) for token in TEXT[1:]]
            columns = [model.look([retargeted([row[k] for row in asked])]) for k in range(3)]
            wide = bodies.tensor([t for row in asked for t in row], "int64", [5, 3])
            spread = bodies.tensor([1.0] * 15, shape=[5, 3])
            got = model.look([bodies.datum(*TEXT, target_tokens=wide, weights=spread)])
            bench.same(got, np.stack(columns, axis=1).ravel(), "as each column by itself")
    if context.applies("training/inputs/sparse-value"):
        with context.check("training/inputs/sparse-value"):
            targets = bodies.tensor([t for n in TEXT[1:] for t in (40, n)], "int64", [5, 2])
            sparse = {**bodies.tensor(weights, shape=[5, 2]), "sparse_col_indices": [1] * 5}
            sparse["sparse_crow_indices"] = list(range(6))
            data = [bodies.datum(*TEXT, target_tokens=targets, weights=sparse)]
            want = bench.moved(rate, PLAIN, [plain])
            bench.same(
                bench.moved(rate, PLAIN, data), want, "as the dense tensor that it stands for"
            )


def retargeted(targets: list[int]) -> dict[str, Any]:
    """TEXT with other targets."""
    return bodies.datum(*TEXT, target_tokens=bodies.tensor(targets, "int64"))


def graph(*calls: tuple[str, str, list[Any]]) -> dict[str, Any]:
    """A traced loss of the log-probabilities: (name, operator, arguments), the last is the loss."""
    nodes: list[dict[str, Any]] = [
        {"op": "placeholder", "name": "logprobs", "target": "logprobs"},
    ]
    for name, target, arguments in calls:
        method = not target.startswith("operator.")
        kind = "call_method" if method else "call_function"
        nodes.append({"op": kind, "name": name, "target": target, "args": arguments})
    result = {"tuple": [{"ref": calls[-1][0]}, {"dict": {}}]}
    nodes.append({"op": "output", "name": "output", "target": "output", "args": [result]})
    return {"format": 1, "nodes": nodes}


SQUARES = graph(
    ("square", "operator.mul", [{"ref": "logprobs"}, {"ref": "logprobs"}]),
    ("total", "sum", [{"ref": "square"}]),
)
"""The sum of squared log-probabilities: its derivative is twice the log-probability."""


@scenario("training/custom-losses")
def custom_losses(context: ScenarioContext) -> None:
    """A loss of the client's own, uploaded and run by the server."""
    bench = Bench(context)
    body = {
        "session_id": bench.session,
        "custom_loss_seq_id": 0,
        "name": "squares",
        "inputs": [{"name": "logprobs", "rank": 1}],
        "graph": SQUARES,
    }
    sent = context.submit("create_custom_loss", body)
    if sent.reply.status in (404, 405):
        raise Inapplicable("the server runs no losses of clients")
    loss_id = str(sent.result().at("/loss_id"))
    logprobs = bench.fresh().look([bodies.datum(*TEXT)])

    def moved(config: dict[str, Any]) -> tuple[float, Floats]:
        model = bench.fresh()
        work = bodies.train(model.model, context.number(model.model), None, "custom", config)
        result = context.submit("forward_backward", work).result()
        model.step(bench.plain / 8, **PLAIN)
        return float(result.at("/metrics/loss:sum")), model.look() - bench.base

    loss, change = moved({"loss_id": loss_id})
    with context.check("training/custom-loss/value"):
        want = float((logprobs**2).sum())
        fine = bench.tolerance.worst(loss, want, 1.0) <= 1
        expect(fine, "the sum of squares", want, loss)
    with context.check("training/custom-loss/gradient"):
        weights = bodies.tensor((-2 * logprobs).tolist())
        want_change = bench.moved(bench.plain / 8, PLAIN, [bodies.datum(*TEXT, weights=weights)])
        bench.same(change, want_change, "its derivative trains the model")
    with context.check("training/custom-loss/unknown"):
        model = bench.fresh()
        work = bodies.train(model.model, 1, None, "custom", {"loss_id": "no-such-loss"})
        tried = context.submit("forward_backward", work).outcome()
        expect(tried.failed, "a loss that nobody uploaded is refused", "an error", tried.value)
