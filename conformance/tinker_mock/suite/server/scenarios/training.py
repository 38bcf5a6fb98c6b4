"""Forward, backward and optimizer steps: shapes and arithmetic that every client relies on."""

import math
import operator

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.verdict import (
    Inapplicable,
    expect,
    expect_close,
    expect_equal,
)
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bodies import datum, tensor
from tinker_mock.suite.server.scenario import scenario

LOSS_SUM = 30
"""The minor release from which on loss:sum is demanded."""
REDUCTIONS = {"mean", "sum", "min", "max", "slack", "unique", "hash_unordered", "hash2"}
SPARSE = {"dtype": "float32", "shape": [5, 2], "data": [1.0] * 5}


def loss_of(context: ScenarioContext, result: Outcome) -> float:
    """loss:sum; Inapplicable where it is not told and no release that asks for it is claimed."""
    told = result.at("/metrics")
    if "loss:sum" not in told and context.target.sdk.last < LOSS_SUM:
        raise Inapplicable(f"loss:sum is not told, and asked for by releases from 0.{LOSS_SUM} on")
    return float(result.at("/metrics/loss:sum"))


def forward(
    context: ScenarioContext, model: str, seq_id: int, data: list[object] | None = None
) -> Outcome:
    """A forward pass that must succeed."""
    return context.submit("forward", bodies.forward(model, seq_id, data=data)).result()


@scenario("training/one-step")
def one_step(context: ScenarioContext) -> None:
    """forward_backward and optim_step, as every training script does."""
    model = context.model()
    data = [datum(11, 12, 13), datum(21, 22, 23, 24, 25), datum(31, 32, weight=0.5)]
    submitted = context.submit("forward_backward", bodies.train(model, 1, data))
    with context.check("training/submit/request-id"):
        expect(isinstance(submitted.request_id, str), "a request id", "string")
    result = submitted.result()
    judge_outputs(context, result)
    judge_metrics(context, result)
    with context.check("training/optim/metrics"):
        metrics = context.submit("optim_step", bodies.optim(model, 2)).result().value.get("metrics")
        fine = metrics is None or all(isinstance(v, int | float) for v in metrics.values())
        expect(fine, "optimizer metrics are numbers", "name: number", metrics)
    with context.check("training/learning/loss-falls"):
        before = loss_of(context, result)
        for seq_id in (3, 5, 7):
            again = context.submit("forward_backward", bodies.train(model, seq_id, data)).result()
            context.submit("optim_step", bodies.optim(model, seq_id + 1)).result()
        after = loss_of(context, again)
        expect(after < before, "three steps lower the loss", f"< {before}", after)


def judge_outputs(context: ScenarioContext, result: Outcome) -> None:
    """Checks of loss_fn_outputs."""
    with context.check("training/result/one-output-per-datum"):
        outputs = result.at("/loss_fn_outputs")
        if len(outputs) < 3:
            bodies.logprobs(result, len(outputs))
        expect_equal(len(outputs), 3, "one output for each datum")
    with context.check("training/result/order"):
        lengths = [len(bodies.logprobs(result, index)) for index in range(3)]
        expect_equal(lengths, [2, 4, 1], "outputs are in the order of the data")
    with context.check("training/result/logprobs-dtype"):
        expect_equal(result.at("/loss_fn_outputs/0/logprobs/dtype"), "float32", "float32")
    with context.check("training/result/logprobs-range"):
        values = [value for index in range(3) for value in bodies.logprobs(result, index)]
        fine = all(math.isfinite(value) and value <= 1e-6 for value in values)
        expect(fine, "log-probabilities are finite and not above 0", "<= 0", values)
    with context.check("training/result/output-type"):
        kind = result.at("/loss_fn_output_type")
        expect(isinstance(kind, str) and kind, "the type of the outputs is named", "string", kind)


def judge_metrics(context: ScenarioContext, result: Outcome) -> None:
    """Checks of metrics."""
    metrics = result.at("/metrics")
    with context.check("training/metrics/key-form"):
        wrong = [name for name in metrics if name.count(":") != 1]
        expect(not wrong, "metrics are named name:reduction", "one colon", wrong)
    with context.check("training/metrics/reductions"):
        unknown = [name for name in metrics if name.rpartition(":")[2] not in REDUCTIONS]
        expect(not unknown, "reductions are known to the SDK", sorted(REDUCTIONS), unknown)
    with context.check("training/metrics/loss-sum"):
        expect(isinstance(result.at("/metrics/loss:sum"), int | float), "loss:sum", "a number")
    with context.check("training/metrics/cross-entropy"):
        weighted = sum(bodies.logprobs(result, 0) + bodies.logprobs(result, 1))
        loss = -(weighted + 0.5 * sum(bodies.logprobs(result, 2)))
        total = loss_of(context, result)
        expect_close(total, loss, 1e-3 * max(1.0, loss), "loss:sum is the weighted sum")


@scenario("training/forward")
def forward_passes(context: ScenarioContext) -> None:
    """A forward pass looks without touching."""
    model = context.model()
    first = bodies.logprobs(forward(context, model, 1))
    with context.check("training/forward/repeatable"):
        again = bodies.logprobs(forward(context, model, 2))
        context.alike(again, first, "the same numbers")
    trained = context.submit("forward_backward", bodies.train(model, 3)).result()
    with context.check("training/forward/equals-backward"):
        seen = bodies.logprobs(trained)
        context.alike(seen, first, "forward and forward_backward see the same model")
    with context.check("training/forward/no-effect"):
        seen = bodies.logprobs(trained)
        context.alike(seen, first, "forward changed nothing")
    with context.check("training/backward/needs-step"):
        context.alike(
            bodies.logprobs(forward(context, model, 4)), first, "gradients alone: no change"
        )
    with context.check("training/optim/zero-rate"):
        context.submit("optim_step", bodies.optim(model, 5, learning_rate=0.0)).result()
        seen = bodies.logprobs(forward(context, model, 6))
        context.alike(seen, first, "rate 0: no change")
    context.submit("forward_backward", bodies.train(model, 7)).result()
    context.submit("optim_step", bodies.optim(model, 8)).result()
    context_matters(context, model)


def context_matters(context: ScenarioContext, model: str) -> None:
    """A trained model knows what stands before a token, in one chunk or two, and nothing else."""
    trained = bodies.logprobs(forward(context, model, 9))
    with context.check("training/forward/split-prompt"):
        parts = datum()
        tokens = parts["model_input"]["chunks"][0]["tokens"]
        parts["model_input"] = {
            "chunks": [
                {"type": "encoded_text", "tokens": part} for part in (tokens[:2], tokens[2:])
            ]
        }
        seen = bodies.logprobs(forward(context, model, 10, [parts]))
        expect_equal(seen, trained, "chunks join up")
    with context.check("training/forward/batch-independent"):
        both = forward(context, model, 11, [datum(41, 42, 43), datum()])
        seen = bodies.logprobs(both, 1)
        context.alike(seen, trained, "a datum's numbers do not depend on its neighbours")


@scenario("training/inputs")
def inputs(context: ScenarioContext) -> None:
    """Every form of data that some release sends."""
    model = context.model()
    with context.check("training/inputs/untyped-chunk"):
        plain = datum()
        plain["model_input"] = {"chunks": [{"tokens": list(bodies.TOKENS[:-1])}]}
        alike(context, model, plain, "a chunk with tokens is text")
    if context.applies("training/inputs/adam-defaults"):
        with context.check("training/inputs/adam-defaults"):
            body = {"adam_params": {}, "model_id": model, "seq_id": context.number(model)}
            context.submit("optim_step", body).result()
    if context.applies("training/inputs/weights-optional"):
        with context.check("training/inputs/weights-optional"):
            bare = datum()
            del bare["loss_fn_inputs"]["weights"]
            alike(context, model, bare, "weights do not change what is likely")
    with context.check("training/inputs/negative-weights"):
        negative = context.submit(
            "forward_backward", bodies.train(model, context.number(model), [datum(weight=-2.5)])
        )
        expect(loss_of(context, negative.result()) < 0, "the sign is kept", "< 0")
    with context.check("training/inputs/zero-weights"):
        none = forward(context, model, context.number(model), [datum(weight=0.0)])
        expect_close(loss_of(context, none), 0.0, 1e-6, "weightless loss is 0")
    more_inputs(context, model)


def alike(context: ScenarioContext, model: str, data: object, message: str) -> None:
    """Unmet unless the data are scored as the ordinary ones are."""
    seen, usual = (
        bodies.logprobs(forward(context, model, context.number(model), one))
        for one in ([data], None)
    )
    context.alike(seen, usual, message)


def more_inputs(context: ScenarioContext, model: str) -> None:
    """Tensor forms."""
    wide = tensor([12, 1, 13, 1, 14, 1, 15, 1, 16, 1], "int64", [5, 2])
    with context.check("training/inputs/topk-targets"):
        two = datum(target_tokens=wide, weights=tensor([1.0, 0.5] * 5, shape=[5, 2]))
        result = forward(context, model, context.number(model), [two])
        expect_equal(result.at("/loss_fn_outputs/0/logprobs/shape"), [5, 2], "shape as targets")
    with context.check("training/inputs/sparse"):
        rows = {"sparse_crow_indices": [0, 1, 2, 3, 4, 5], "sparse_col_indices": [0] * 5}
        sparse = datum(target_tokens=wide, weights={**SPARSE, **rows})
        seen = bodies.logprobs(forward(context, model, context.number(model), [sparse]))
        plain = bodies.logprobs(forward(context, model, context.number(model)))
        first = seen if len(seen) == len(plain) else seen[::2]
        context.alike(first, plain, "the log-probabilities of its targets")
    with context.check("training/inputs/many-data"):
        full: list[object] = [datum(11, 12, 13)] * 1023
        full.append(datum(21, 22, 23, 24))
        many = forward(context, model, context.number(model), full)
        expect_equal(len(many.at("/loss_fn_outputs")), 1024, "a full chunk of 1024 data")
        sizes = [len(bodies.logprobs(many, place)) for place in (0, 1022, 1023)]
        expect_equal(sizes, [2, 2, 3], "answered in their order")
    with context.check("training/inputs/precise-weights"):
        if context.target.precision != "float32":
            raise Inapplicable("the server computes with fewer digits")
        one, other = datum(weight=2049.0), datum(weight=-2048.0)
        told = loss_of(context, forward(context, model, context.number(model), [one, other]))
        want = -sum(bodies.logprobs(forward(context, model, context.number(model))))
        expect_close(told, want, 0.05 * abs(want), "weights have the digits of a float32")
    with context.check("training/inputs/large-ids"):
        tokens = (70_000, 70_001, 70_002)
        scored = []
        for one in (datum(*tokens), datum(*(token & 0xFFFF for token in tokens))):
            body = bodies.forward(model, context.number(model), data=[one])
            outcome = context.submit("forward", body).outcome()
            if outcome.failed:
                raise Inapplicable("the vocabulary has no such ids")
            scored.append(bodies.logprobs(outcome))
        fine = scored[0] != scored[1]
        expect(fine, "ids above 65535 are tokens of their own", "others", scored[0])
    with context.check("training/inputs/no-shape"):
        flat = datum()
        for field in flat["loss_fn_inputs"].values():
            del field["shape"]
        alike(context, model, flat, "a vector is as long as its data")
    if context.applies("training/inputs/extra-inputs"):
        with context.check("training/inputs/extra-inputs"):
            masked = datum(mask=tensor([1.0] * 5))
            alike(context, model, masked, "inputs that the loss has no use for change nothing")


LOSSES = {
    "training/loss/importance_sampling": None,
    "training/loss/ppo": {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2},
    "training/loss/cispo": {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2},
    "training/loss/dro": {"beta": 0.1},
    "training/loss/gspo": None,
}


@scenario("training/losses")
def losses(context: ScenarioContext) -> None:
    """The policy-gradient losses take their inputs."""
    model = context.model()
    for check, config in LOSSES.items():
        if not context.applies(check):
            continue
        name = check.rpartition("/")[2]
        body = bodies.train(model, context.number(model), [bodies.policy_datum()], name, config)
        promised = context.submit("forward_backward", body)
        with context.check(check):
            result = promised.result()
            expect(math.isfinite(loss_of(context, result)), "finite", "a number")
    plain = forward(context, model, context.number(model))
    ratio = [math.exp(value + 3.0) for value in bodies.logprobs(plain)]
    with context.check("training/loss/importance-weight"):
        body = bodies.train(
            model, context.number(model), [bodies.policy_datum()], "importance_sampling"
        )
        total = loss_of(context, context.submit("forward_backward", body).result())
        expect_close(total, -sum(ratio), 1e-3 * max(1.0, sum(ratio)), "-sum of ratio x advantage")
    with context.check("training/loss/cispo-weight"):
        body = bodies.train(
            model,
            context.number(model),
            [bodies.policy_datum()],
            "cispo",
            LOSSES["training/loss/cispo"],
        )
        total = loss_of(context, context.submit("forward_backward", body).result())
        clipped = [min(max(value, 0.8), 1.2) for value in ratio]
        want = -sum(map(operator.mul, clipped, bodies.logprobs(plain)))
        expect_close(total, want, 1e-3 * max(1.0, abs(want)), "clipped ratio x log-probability")


@scenario("training/optimizers")
def optimizers(context: ScenarioContext) -> None:
    """Optimizer parameters of every release."""
    model = context.model()
    context.submit("forward_backward", bodies.train(model, 1)).result()
    with context.check("training/optim/clipping"):
        context.submit("optim_step", bodies.optim(model, 2, grad_clip_norm=1.0)).result()
    with context.check("training/optim/decay"):
        context.submit("optim_step", bodies.optim(model, 3, weight_decay=0.01)).result()
    if not context.applies("training/optim/dimuon"):
        return
    with context.check("training/optim/adamw-typed"):
        params = {"type": "adamw", "learning_rate": 0.01}
        body = {"optimizer_params": params, "model_id": model, "seq_id": 4, "type": "optim_step"}
        context.submit("optim_step", body).result()
    with context.check("training/optim/dimuon"):
        config = {"type": "dimuon", "version": 1}
        made = context.create_model(context.session(), optimizer_config=config).outcome()
        if made.failed:
            status, user = made.reply.status, '"user"' in made.error
            expect(400 <= status < 500 or user, "refused as the user's choice", "user", made.error)
