"""Allowed operations that reduce or accumulate along axes."""

from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np

from tinker_mock.server.engine.training.custom_loss.blocks import blockwise, product
from tinker_mock.server.engine.training.custom_loss.elementwise import (
    ELEMENTWISE,
    divide,
    multiply,
    power,
    softplus,
    subtract,
    where,
)
from tinker_mock.server.engine.training.custom_loss.values import (
    Array,
    Value,
    bounded,
    floats,
    lift,
)

Extreme = namedtuple("Extreme", ["values", "indices"])
Axes = tuple[int, ...]


def axes_of(x: Array, dim: Any) -> Axes:
    if dim is None:
        return tuple(range(x.ndim))
    listed = dim if isinstance(dim, list | tuple) else [dim]
    return tuple(int(d) % max(x.ndim, 1) for d in listed) if x.ndim else ()


def sum_(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    source = lift(x)
    inner = floats(source)
    axes = axes_of(inner, dim)
    return Value(
        inner.sum(axis=axes, keepdims=keepdim),
        [(source, lambda g: np.broadcast_to(_open(g, axes, keepdim), inner.shape))],
    )


def _open(g: Array, axes: Axes, keepdim: bool) -> Array:
    return g if keepdim else np.expand_dims(g, axes)


def mean(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    inner = lift(x).array
    count = int(np.prod([inner.shape[a] for a in axes_of(inner, dim)]))
    result: Value = divide(sum_(x, dim, keepdim), count)
    return result


def prod(x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Value:
    """Product; its gradient needs nonzero factors, as a quotient."""
    source = lift(x)
    inner = floats(source)
    axes = axes_of(inner, dim)
    result = inner.prod(axis=axes, keepdims=True)
    shown = result if keepdim else result.squeeze(axes)

    def pull(g: Array) -> Array:
        opened = np.asarray(_open(g, axes, keepdim))
        return blockwise(lambda g, y, x: g * y / x, opened, result, inner)

    return Value(shown, [(source, pull)])


def logsumexp(x: Any, dim: Any, keepdim: bool = False) -> Value:
    source = lift(x)
    inner = floats(source)
    axes = axes_of(inner, dim)
    top = inner.max(axis=axes, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    powers = blockwise(lambda x, top: np.exp(x - top), inner, top)
    total = np.log(powers.sum(axis=axes, keepdims=True)) + top
    shown = total if keepdim else total.squeeze(axes)

    def pull(g: Array) -> Array:
        opened = np.asarray(_open(g, axes, keepdim))
        return blockwise(lambda g, x, total: g * np.exp(x - total), opened, inner, total)

    return Value(shown, [(source, pull)])


def log_softmax(x: Any, dim: int = -1, dtype: Any = None, **_: Any) -> Value:
    result: Value = subtract(x, logsumexp(x, dim, keepdim=True))
    return result


def softmax(x: Any, dim: int = -1, dtype: Any = None, **_: Any) -> Value:
    result: Value = ELEMENTWISE["exp"](log_softmax(x, dim))
    return result


def var(
    x: Any, dim: Any = None, unbiased: bool = True, keepdim: bool = False, correction: Any = None
) -> Value:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    inner = lift(x).array
    count = int(np.prod([inner.shape[a] for a in axes_of(inner, dim)]))
    less = int(correction) if correction is not None else int(unbiased)
    centred = subtract(x, mean(x, dim, keepdim=True))
    result: Value = divide(sum_(power(centred, 2), dim, keepdim), count - less)
    return result


def std(x: Any, *args: Any, **kwargs: Any) -> Value:
    result: Value = ELEMENTWISE["sqrt"](var(x, *args, **kwargs))
    return result


def norm(x: Any, p: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    if p not in (2, 2.0, None, "fro", 1, 1.0):
        raise ValueError(f"norm of order {p!r} is not supported")
    if p in (1, 1.0):
        return sum_(ELEMENTWISE["abs"](x), dim, keepdim)
    result: Value = ELEMENTWISE["sqrt"](sum_(power(x, 2), dim, keepdim))
    return result


def cumsum(x: Any, dim: int, dtype: Any = None) -> Value:
    source = lift(x)
    inner = floats(source)
    return Value(
        np.cumsum(inner, axis=dim),
        [(source, lambda g: np.flip(np.cumsum(np.flip(g, dim), axis=dim), dim))],
    )


def extreme(pick: Callable[..., Array], pair: str) -> Callable[..., Any]:
    """max or min: of everything, along an axis (values and indices), or of two tensors."""

    def apply(x: Any, dim: Any = None, keepdim: bool = False, other: Any = None) -> Any:
        if other is not None or isinstance(dim, Value):
            return ELEMENTWISE[pair](x, other if other is not None else dim)
        source = lift(x)
        inner = floats(source)
        if dim is None:
            at = np.unravel_index(int(pick(inner)), inner.shape)
            return Value(inner[at], [(source, lambda g: _scatter(inner, at, g))])
        index = np.expand_dims(pick(inner, axis=dim), dim)
        values = np.take_along_axis(inner, index, dim)

        def pull(g: Array) -> Array:
            spread = np.zeros(inner.shape)
            np.put_along_axis(spread, index, g if keepdim else np.expand_dims(g, dim), dim)
            return spread

        shown = (values, index) if keepdim else (values.squeeze(dim), index.squeeze(dim))
        return Extreme(Value(shown[0], [(source, pull)]), Value(shown[1]))

    return apply


def _scatter(inner: Array, at: Any, g: Array) -> Array:
    spread = np.zeros(inner.shape)
    spread[at] = g
    return spread


def extremes(pick: Callable[..., Array], pair: str) -> Callable[..., Any]:
    """amax or amin: gradients are shared among equal extremes."""

    def apply(x: Any, dim: Any = None, keepdim: bool = False) -> Value:
        source = lift(x)
        inner = floats(source)
        axes = axes_of(inner, dim)
        top = pick(inner, axis=axes, keepdims=True)
        ties = (inner == top).astype(np.float64)
        ties /= ties.sum(axis=axes, keepdims=True)
        shown = top if keepdim else top.squeeze(axes)
        return Value(shown, [(source, lambda g: _open(g, axes, keepdim) * ties)])

    return apply


def _reduced(value: Value, reduction: str) -> Value:
    if reduction == "none":
        return value
    return mean(value) if reduction == "mean" else sum_(value)


def mse_loss(x: Any, y: Any, reduction: str = "mean", **_: Any) -> Value:
    return _reduced(power(subtract(x, y), 2), reduction)


def l1_loss(x: Any, y: Any, reduction: str = "mean", **_: Any) -> Value:
    return _reduced(ELEMENTWISE["abs"](subtract(x, y)), reduction)


def huber_loss(x: Any, y: Any, reduction: str = "mean", delta: float = 1.0, **_: Any) -> Value:
    gap = ELEMENTWISE["abs"](subtract(x, y))
    small = multiply(power(gap, 2), 0.5)
    large = multiply(subtract(gap, 0.5 * delta), delta)
    return _reduced(where(ELEMENTWISE["le"](gap, delta), small, large), reduction)


def binary_cross_entropy_with_logits(x: Any, y: Any, reduction: str = "mean", **_: Any) -> Value:
    return _reduced(subtract(softplus(x), multiply(x, y)), reduction)


def matmul(x: Any, y: Any) -> Value:
    """Products of vectors and matrices."""
    a, b = lift(x), lift(y)
    p, q = floats(a), floats(b)
    if p.ndim > 2 or q.ndim > 2:
        raise ValueError("matmul takes vectors and matrices only")
    left = np.atleast_2d(p)
    right = q[:, None] if q.ndim == 1 else q
    if left.shape[-1] != right.shape[0]:
        raise ValueError(f"matmul of shapes {list(p.shape)} and {list(q.shape)}")
    bounded((left.shape[0], right.shape[-1]))
    result = product(left, right)
    shape = p.shape[:-1] + q.shape[1:]

    def wide(g: Array) -> Array:
        return np.asarray(g).reshape(left.shape[0], right.shape[1])

    return Value(
        result.reshape(shape),
        [
            (a, lambda g: product(wide(g), right.T).reshape(p.shape)),
            (b, lambda g: product(left.T, wide(g)).reshape(q.shape)),
        ],
    )


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": sum_,
    "mean": mean,
    "prod": prod,
    "logsumexp": logsumexp,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "var": var,
    "std": std,
    "norm": norm,
    "cumsum": cumsum,
    "max": extreme(np.argmax, "maximum"),
    "min": extreme(np.argmin, "minimum"),
    "amax": extremes(np.max, "max"),
    "amin": extremes(np.min, "min"),
    "argmax": lambda x, dim=None, keepdim=False: Value(
        np.argmax(lift(x).array, axis=dim, keepdims=keepdim)
    ),
    "argmin": lambda x, dim=None, keepdim=False: Value(
        np.argmin(lift(x).array, axis=dim, keepdims=keepdim)
    ),
    "any": lambda x, dim=None, keepdim=False: Value(
        np.any(lift(x).array, axis=dim, keepdims=keepdim)
    ),
    "all": lambda x, dim=None, keepdim=False: Value(
        np.all(lift(x).array, axis=dim, keepdims=keepdim)
    ),
    "count_nonzero": lambda x, dim=None: Value(np.count_nonzero(lift(x).array, axis=dim)),
    "mse_loss": mse_loss,
    "l1_loss": l1_loss,
    "huber_loss": huber_loss,
    "smooth_l1_loss": lambda x, y, reduction="mean", beta=1.0, **_: divide(
        huber_loss(x, y, reduction, beta), beta
    ),
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "matmul": matmul,
    "mm": matmul,
    "mv": matmul,
    "dot": matmul,
}
