"""Passes and steps: every loss, every setting, inputs of every form."""

import numpy as np
from saying import asked, known, plain, refusable, told
from tinker import types

TEXT = [9707, 11, 1879, 13, 358, 1079, 264, 2613, 1614, 429]
COUNT = len(TEXT) - 1
WEIGHTS = [0.5, 1.0, 0.0, 1.0, 0.25, 1.0, 1.0, 2.0, 1.0]
OLD = [-0.5, -1.0, -1.5, -2.0, -2.5, -3.0, -3.5, -4.0, -4.5]
ADVANTAGES = [1.0, -1.0, 0.5, 0.0, 2.0, -0.25, 1.5, 0.75, -2.0]
POLICIES = {
    "importance_sampling": None,
    "ppo": {"clip_low_threshold": 0.7, "clip_high_threshold": 1.35},
    "cispo": {"clip_low_threshold": 0.6, "clip_high_threshold": 4.0},
    "dro": {"beta": 0.0625},
}
STEPS = (
    {"learning_rate": 2e-3, "beta1": 0.8, "beta2": 0.9, "eps": 1e-8,
     "weight_decay": 0.01, "grad_clip_norm": 1.5},
    {"learning_rate": 5e-4},
)  # fmt: skip
USUAL = {"learning_rate": 1e-4, "beta1": 0.9, "beta2": 0.95, "eps": 1e-12,
         "weight_decay": 0.0, "grad_clip_norm": 0.0}  # fmt: skip


def tensor(values, kind, shape=None):
    return types.TensorData(data=list(values), dtype=kind, shape=shape or [len(values)])


def datum(tokens=TEXT, cut=4, **more):
    """A next-token datum in two pieces, and the wire's form of it."""
    inputs, targets = tokens[:-1], tokens[1:]
    pieces = [inputs[:cut], inputs[cut:]]
    chunks = [types.EncodedTextChunk(tokens=one) for one in pieces]
    values = {"target_tokens": (targets, "int64")}
    values |= {name: (given, "float32") for name, given in more.items()}
    made = types.Datum(
        model_input=types.ModelInput(chunks=chunks),
        loss_fn_inputs={name: tensor(*one) for name, one in values.items()},
    )
    return made, {
        "model_input": {"chunks": [{"tokens": one} for one in pieces]},
        "loss_fn_inputs": {
            name: {"data": given, "dtype": kind} for name, (given, kind) in values.items()
        },
    }


def passed(call, data, loss, config=None):
    """One pass under way, and its line in the report."""
    given = known(call, loss_fn_config=config) if config else {}
    meant = {"data": [said for _, said in data], "loss_fn": loss, **given}
    line = asked(call.__name__, **meant)
    with refusable(line):
        return line, call([one for one, _ in data], loss, **given)


def understood(line, under_way):
    with refusable(line):
        found = under_way.result()
    told(line, outputs_of(found, metrics=True))
    return found


def outputs_of(found, metrics=False):
    """Every tensor of every datum, and the metrics that are sums."""
    outputs = [{name: plain(one) for name, one in row.items()} for row in found.loss_fn_outputs]
    sums = {name: value for name, value in found.metrics.items() if name.endswith(":sum")}
    return {"loss_fn_outputs": outputs, **({"metrics": sums} if metrics else {})}


def train(client):
    plainly = [datum(weights=WEIGHTS), datum(TEXT[2:], 1, weights=WEIGHTS[2:])]
    understood(*passed(client.forward, plainly, "cross_entropy"))
    for (loss, config), options in zip(POLICIES.items(), (*STEPS, {}, None), strict=True):
        policy = [datum(logprobs=OLD, advantages=ADVANTAGES)] * 2
        under_way = passed(client.forward_backward, policy, loss, config)
        if options is not None:
            step(client, options)
        understood(*under_way)
    mixed = [matrix(), plain_values()]
    understood(*passed(client.forward_backward, mixed, "cross_entropy"))


def plain_values():
    """Lists and arrays in place of tensors."""
    said = datum(weights=WEIGHTS)[1]
    inputs = {"target_tokens": TEXT[1:], "weights": np.array(WEIGHTS, np.float32)}
    given = types.ModelInput.from_ints(tokens=TEXT[:-1])
    said["model_input"] = {"chunks": [{"tokens": TEXT[:-1]}]}
    return types.Datum(model_input=given, loss_fn_inputs=inputs), said


def matrix():
    """Two targets a position, and weights that are nothing at most of them."""
    pairs = [token for target in TEXT[1:] for token in (target, 42)]
    weights = [value for one in WEIGHTS for value in (one, 0.0)]
    inputs = {
        "target_tokens": tensor(pairs, "int64", [COUNT, 2]),
        "weights": tensor(weights, "float32", [COUNT, 2]),
    }
    made = types.Datum(
        model_input=types.ModelInput.from_ints(tokens=TEXT[:-1]), loss_fn_inputs=inputs
    )
    said = {
        "model_input": {"chunks": [{"tokens": TEXT[:-1]}]},
        "loss_fn_inputs": {
            "target_tokens": {"data": pairs, "shape": [COUNT, 2]},
            "weights": {"data": weights, "shape": [COUNT, 2]},
        },
    }
    return made, said


def step(client, options):
    options = known(types.AdamParams, **options)
    usual = {name: value for name, value in USUAL.items() if name not in options}
    line = asked("optim_step", adam_params=options, usual={"adam_params": usual})
    with refusable(line):
        client.optim_step(types.AdamParams(**options)).result()


def own_loss(client):
    """The squares of the log-probabilities: their gradient is what the second pass carries."""
    seen = []

    def loss(data, logprobs):
        total = sum((values * values).sum() for values in logprobs)
        seen.append([[float(value) for value in one] for one in logprobs])
        return total, {"squares:sum": float(total)}

    data = [datum(), datum(TEXT[3:], 2)]
    found = client.forward_backward_custom([one for one, _ in data], loss).result()
    line = asked("forward", data=[said for _, said in data], loss_fn="cross_entropy")
    told(line, {"loss_fn_outputs": [{"logprobs": {"data": one}} for one in seen[0]]})
    slopes = [[-2 * value for value in one] for one in seen[0]]
    weighted = [{"loss_fn_inputs": {"weights": {"data": one}}} for one in slopes]
    told(asked("forward_backward", data=weighted), outputs_of(found))
    want = sum(value * value for one in seen[0] for value in one)
    got = found.metrics["squares:sum"]
    if abs(got - want) > 1e-3 * want:
        raise AssertionError(f"squares:sum is {got}, not {want}")


def many(client, count=1030):
    """More than go into one request."""
    data = [datum([n % 90 + 10, 7, n % 50 + 9], 1, weights=[1.0, 0.5]) for n in range(count)]
    understood(*passed(client.forward_backward, data, "cross_entropy"))
