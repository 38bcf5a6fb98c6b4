"""What clients write losses with: one small loss for each operation, of six log-probabilities.

Arguments are moved to where an operation is smooth, by amounts that no log-probability hits. A ramp
of weights tells the elements apart.
"""

from typing import Any

from tinker_mock.suite.oracle.traced import Written


def ramp(t: Any, values: Any) -> Any:
    """The elements with weights 1 to 6, summed."""
    return t.sum(values * (t.arange(1, 7) * 0.3))


def positive(x: Any) -> Any:
    """About 1."""
    return x / -9.7


def mixed(x: Any) -> Any:
    """On both sides of 0, if log-probabilities are on both sides of -9."""
    return x + 9.03


def table(t: Any, x: Any) -> Any:
    """Two rows of three."""
    return t.reshape(positive(x), (2, 3))


def rows(t: Any, values: Any) -> Any:
    """Two numbers, one for each row, told apart."""
    return values[0] * 2.0 - values[1] * 0.7


def columns(t: Any, values: Any) -> Any:
    """Three numbers, one for each column, told apart."""
    return values[0] * 1.3 - values[1] * 0.4 + values[2] * 2.1


def applied(name: str, place: Any) -> Written:
    """An operation on each element."""
    return lambda t, x: ramp(t, getattr(t, name)(place(x)))


SMOOTH = (
    "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "reciprocal",
    "square", "abs", "neg", "sin", "cos", "tanh", "sigmoid",
)  # fmt: skip
KINKED = (
    "relu", "leaky_relu", "silu", "softplus", "logsigmoid", "sign", "floor", "ceil", "round",
    "trunc", "abs",
)  # fmt: skip
ELEMENTS: dict[str, Written] = {
    **{name: applied(name, positive) for name in SMOOTH},
    **{f"{name} around 0": applied(name, mixed) for name in KINKED},
    "arithmetic": lambda t, x: ramp(t, (x + 3.1) * (2.0 - x) / (x - 1.7) - x * 0.3),
    "add alpha": lambda t, x: ramp(t, t.add(x, t.square(x), alpha=0.05)),
    "sub alpha": lambda t, x: ramp(t, t.sub(x, t.square(x), alpha=0.05)),
    "rsub": lambda t, x: ramp(t, t.rsub(t.square(x), x)),
    "div": lambda t, x: ramp(t, t.div(1.0, positive(x))),
    "div floor": lambda t, x: ramp(t, t.div(x, 2.13, rounding_mode="floor") * x),
    "div trunc": lambda t, x: ramp(t, t.div(x, 2.13, rounding_mode="trunc") * x),
    "floor_divide": lambda t, x: ramp(t, t.detach(x // 2.13) * x),
    "remainder": lambda t, x: ramp(t, t.square(x % 2.13) + t.square(t.fmod(x, 2.13)) * 0.5),
    "pow": lambda t, x: ramp(t, positive(x) ** 2.5 + 2.0 ** positive(x)),
    "pow of itself": lambda t, x: ramp(t, t.pow(positive(x), positive(x))),
    "pow 0": lambda t, x: ramp(t, x**0),
    "maximum": lambda t, x: ramp(t, t.maximum(x, x * 2.0 + 9.01) + t.minimum(x, x * 3.0 + 18.02)),
    "clamp": lambda t, x: ramp(t, t.clamp(x, min=-10.03, max=-8.02)),
    "clamp below": lambda t, x: ramp(t, t.clamp(x, min=-9.04)),
    "clamp above": lambda t, x: ramp(t, t.clamp(x, max=-9.04)),
    "where": lambda t, x: ramp(t, t.where(x > -9.02, t.square(x), x * 3.0)),
    "masked_fill": lambda t, x: ramp(t, t.masked_fill(x, x < -9.02, 0.5)),
    "compare": lambda t, x: ramp(
        t, ((x > -9.0) * 1.0 + (x >= -8.5) * 2.0 + (x < -9.5) * 4.0 + (x <= -8.0) * 8.0) * x
    ),
    "equal": lambda t, x: ramp(t, ((x == x) * 1.0 + (x != x) * 2.0) * x),
    "logic": lambda t, x: ramp(
        t,
        x * (
            t.logical_and(x > -10.0, x < -8.5) * 1.0
            + t.logical_or(x > -8.7, x < -9.6) * 2.0
            + t.logical_xor(x > -9.3, x > -8.6) * 4.0
            + t.logical_not(x > -9.1) * 8.0
        ),
    ),
    "bits": lambda t, x: ramp(
        t, x * (((x > -10.0) & (x < -8.5)) * 1.0 + ((x > -8.7) | (x < -9.6)) * 2.0)
    ),
    "detach": lambda t, x: ramp(t, t.detach(x) * x),
    "finite": lambda t, x: ramp(t, t.isfinite(x) * x + t.isnan(x) * 7.0),
    "likes": lambda t, x: ramp(t, t.ones_like(x) * x + t.zeros_like(x) + t.full_like(x, 0.25) * x),
}  # fmt: skip
REDUCED: dict[str, Written] = {
    "sum": lambda t, x: t.square(t.sum(x)),
    "sum of rows": lambda t, x: rows(t, t.square(t.sum(table(t, x), dim=1))),
    "sum of columns": lambda t, x: columns(t, t.square(t.sum(table(t, x), dim=0))),
    "sum from the back": lambda t, x: rows(t, t.square(t.sum(table(t, x), dim=-1))),
    "sum kept": lambda t, x: t.sum(table(t, x) / t.sum(table(t, x), dim=1, keepdim=True) ** 2),
    "mean": lambda t, x: t.square(t.mean(x)),
    "mean of rows": lambda t, x: rows(t, t.square(t.mean(table(t, x), dim=1))),
    "prod": lambda t, x: rows(t, t.prod(table(t, x), dim=1)) + t.prod(positive(x)),
    "logsumexp": lambda t, x: rows(t, t.logsumexp(table(t, x), dim=1)),
    "softmax": lambda t, x: ramp(t, t.softmax(x, dim=0)) + ramp(t, t.log_softmax(x, dim=-1)),
    "softmax of rows": lambda t, x: ramp(t, t.reshape(t.softmax(table(t, x), dim=1), (6,))),
    "var": lambda t, x: t.var(x) + t.var(x, unbiased=False) * 2.0,
    "var of columns": lambda t, x: columns(t, t.var(table(t, x), dim=0)),
    "std": lambda t, x: t.std(x) + rows(t, t.std(table(t, x), dim=1)),
    "norm": lambda t, x: t.norm(x) + t.norm(x, p=1) * 0.2 + rows(t, t.norm(table(t, x), dim=1)),
    "cumsum": lambda t, x: ramp(t, t.square(t.cumsum(x, dim=0))),
    "cumsum of columns": lambda t, x: ramp(
        t, t.reshape(t.square(t.cumsum(table(t, x), dim=0)), (6,))
    ),
    "max and min": lambda t, x: t.square(t.max(x)) + t.min(x) * 0.4,
    "max of rows": lambda t, x: rows(t, t.square(t.max(table(t, x), dim=1).values)),
    "min of columns": lambda t, x: columns(t, t.square(t.min(table(t, x), dim=0).values)),
    "where max is": lambda t, x: rows(t, t.max(table(t, x), dim=1).indices * 0.5) + t.sum(x),
    "amax": lambda t, x: rows(t, t.amax(table(t, x), dim=1)),
    "amin": lambda t, x: columns(t, t.amin(table(t, x), dim=0)),
    "argmax": lambda t, x: (t.argmax(x) * 2.0 + t.argmin(x)) * t.sum(x),
    "any and all": lambda t, x: t.sum(x) * (
        t.any(x > -1.0) * 1.0 + t.all(x < -0.001) * 2.0 + t.count_nonzero(x > -9.02) * 0.1
    ),
    "mse_loss": lambda t, x: t.mse_loss(x, x * x * 0.1) + t.mse_loss(x, x * 0.5, reduction="sum"),
    "l1_loss": lambda t, x: t.l1_loss(x, x * 2.0 + 9.06),
    "huber_loss": lambda t, x: t.huber_loss(mixed(x), x * 0.0, delta=0.8, reduction="sum"),
    "smooth_l1_loss": lambda t, x: t.smooth_l1_loss(mixed(x), x * 0.0, beta=0.7),
    "logits": lambda t, x: t.binary_cross_entropy_with_logits(mixed(x), x * 0.01 + 0.5),
}  # fmt: skip
SHAPED: dict[str, Written] = {
    "slice": lambda t, x: t.sum(t.square(x[1:5:2])) + x[-1] * 0.5 + t.sum(t.square(x[:2])) * 0.3,
    "mask": lambda t, x: t.sum(t.square(x[x > -9.02])) + t.sum(x) * 0.1,
    "pick": lambda t, x: t.square(table(t, x)[1, 2]) - t.square(table(t, x)[0, 1]),
    "ellipsis": lambda t, x: rows(t, t.square(table(t, x)[..., 1])),
    "pick by numbers": lambda t, x: columns(t, t.square(x[t.arange(4, 1, -1)])),
    "new axis": lambda t, x: t.sum(t.square(x[None, :] - t.unsqueeze(x, 1))),
    "squeeze": lambda t, x: ramp(t, t.squeeze(t.unsqueeze(x, 1), 1) * x),
    "flatten": lambda t, x: ramp(t, t.square(t.flatten(table(t, x)))),
    "flatten ends": lambda t, x: columns(
        t, t.flatten(t.square(t.reshape(x, (3, 1, 2))), start_dim=1)[:, 0]
    ),
    "transpose": lambda t, x: ramp(t, t.square(t.reshape(t.transpose(table(t, x), 0, 1), (6,)))),
    "permute": lambda t, x: ramp(
        t, t.square(t.reshape(t.permute(t.reshape(x, (1, 2, 3)), (2, 0, 1)), (6,)))
    ),
    "expand": lambda t, x: ramp(
        t, t.reshape(t.square(t.expand(t.unsqueeze(x, 0), (2, 6))), (12,))[3:9] * x
    ),
    "expand between": lambda t, x: ramp(
        t, t.sum(t.reshape(t.square(t.expand(t.unsqueeze(x, 1), (2, 6, 3))), (6, 6)), dim=1)
    ),
    "expand what is left": lambda t, x: ramp(
        t, t.sum(t.square(t.expand(t.unsqueeze(x, 1), (-1, 3))), dim=1)
    ),
    "expand kept": lambda t, x: rows(t, t.sum(t.expand(table(t, x), (2, 3)), dim=1)),
    "flatten a number": lambda t, x: t.square(t.flatten(x[2])[0]),
    "flip": lambda t, x: ramp(t, t.flip(x, (0,)) * x * x),
    "stack": lambda t, x: ramp(t, t.square(t.stack([x, x * 2.0], dim=1)[:, 1]) + x),
    "cat": lambda t, x: ramp(t, t.square(t.cat([x[3:], x[:3] * 2.0]))),
    "cat of columns": lambda t, x: columns(
        t, t.cat([t.square(table(t, x)), table(t, x)], dim=1)[1, 2:5]
    ),
    "gather": lambda t, x: t.sum(
        t.square(t.gather(table(t, x), 1, t.reshape(t.arange(2, -1, -1), (1, 3))))
    ),
    "index_select": lambda t, x: columns(t, t.square(t.index_select(x, 0, t.arange(1, 4)))),
    "masked_select": lambda t, x: t.sum(t.square(t.masked_select(x, x < -8.9))) + t.sum(x),
    "select": lambda t, x: columns(t, t.square(t.select(table(t, x), 0, 1))),
    "narrow": lambda t, x: columns(t, t.square(t.narrow(x, 0, 2, 3))),
    "diff": lambda t, x: t.sum(t.square(t.diff(x))) + t.square(t.diff(x, n=2)[3]),
    "matmul": lambda t, x: t.sum((table(t, x) @ t.transpose(table(t, x), 0, 1))[0] ** 2),
    "matmul of a vector": lambda t, x: rows(t, table(t, x) @ x[:3]),
    "dot": lambda t, x: t.matmul(x, x * 2.0),
    "long": lambda t, x: ramp(t, t.long(x) * x),
    "made": lambda t, x: ramp(t, (t.zeros(6) + t.ones(6) * 2.0) * x) * (t.sum(t.ones((2, 3))) / 6),
}  # fmt: skip
WRITTEN: dict[str, Written] = {**ELEMENTS, **REDUCED, **SHAPED}
