"""Allowed operations that work element by element."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinker_mock.server.engine.training.custom_loss.blocks import blockwise
from tinker_mock.server.engine.training.custom_loss.values import (
    Array,
    Value,
    bounded,
    floats,
    lift,
)

Operation = Callable[..., Any]


def unary(forward: Callable[[Array], Array], slope: Callable[[Array, Array], Array]) -> Operation:
    """`slope(x, y)` is dy/dx. Plain numbers stay plain numbers."""

    def apply(x: Any, **_: Any) -> Any:
        if isinstance(x, int | float) and not isinstance(x, bool):
            return float(forward(np.asarray(float(x))))
        source = lift(x)
        inner = floats(source)
        result = blockwise(forward, inner)

        def pull(g: Array) -> Array:
            return blockwise(lambda g, x, y: g * slope(x, y), g, inner, result)

        return Value(result, [(source, pull)])

    return apply


def binary(
    forward: Callable[[Array, Array], Array],
    left: Callable[[Array, Array, Array], Array],
    right: Callable[[Array, Array, Array], Array],
) -> Operation:
    """`left(x, y, z)` is dz/dx, `right` dz/dy; shapes broadcast."""

    def apply(x: Any, y: Any, **_: Any) -> Any:
        plain = not isinstance(x, Value) and not isinstance(y, Value)
        a, b = lift(x), lift(y)
        p, q = floats(a), floats(b)
        bounded(np.broadcast_shapes(p.shape, q.shape))
        z = blockwise(forward, p, q)
        if plain:
            whole = isinstance(x, int) and isinstance(y, int) and forward is not np.true_divide
            return int(z) if whole and float(z).is_integer() else float(z)

        def pull(slope: Callable[[Array, Array, Array], Array]) -> Callable[[Array], Array]:
            return lambda g: blockwise(lambda g, x, y, z: g * slope(x, y, z), g, p, q, z)

        return Value(z, [(a, pull(left)), (b, pull(right))])

    return apply


def comparison(forward: Callable[[Array, Array], Array]) -> Operation:
    """An operation of two tensors whose result has no gradient."""

    def apply(x: Any, y: Any) -> Value:
        p, q = lift(x).array, lift(y).array
        bounded(np.broadcast_shapes(p.shape, q.shape))
        return Value(blockwise(forward, p, q))

    return apply


def add(x: Any, y: Any, alpha: float = 1.0) -> Any:
    return _add(x, multiply(y, alpha) if alpha != 1.0 else y)


def subtract(x: Any, y: Any, alpha: float = 1.0) -> Any:
    return _subtract(x, multiply(y, alpha) if alpha != 1.0 else y)


def divide(x: Any, y: Any, rounding_mode: str | None = None) -> Any:
    quotient = _divide(x, y)
    if rounding_mode is None:
        return quotient
    rounded = {"floor": np.floor, "trunc": np.trunc}[rounding_mode]
    return Value(rounded(lift(quotient).array))


_add = binary(np.add, lambda x, y, z: np.ones_like(z), lambda x, y, z: np.ones_like(z))
_subtract = binary(np.subtract, lambda x, y, z: np.ones_like(z), lambda x, y, z: -np.ones_like(z))
multiply = binary(np.multiply, lambda x, y, z: y, lambda x, y, z: x)
_divide = binary(np.true_divide, lambda x, y, z: 1 / y, lambda x, y, z: -z / y)


def _power_exponent(x: Array, y: Array, z: Array) -> Array:
    positive = np.where(x > 0, x, 1.0)
    return np.where(x > 0, z * np.log(positive), 0.0)


def _power_base(x: Array, y: Array, z: Array) -> Array:
    return np.where(y == 0, 0.0, y * np.power(x, np.where(y == 0, 1.0, y - 1)))


power = binary(np.power, _power_base, _power_exponent)


def _share(wins: Array, ties: Array) -> Array:
    return np.where(ties, 0.5, wins.astype(np.float64))


maximum = binary(
    np.maximum, lambda x, y, z: _share(x > y, x == y), lambda x, y, z: _share(y > x, x == y)
)
minimum = binary(
    np.minimum, lambda x, y, z: _share(x < y, x == y), lambda x, y, z: _share(y < x, x == y)
)


def clamp(x: Any, min: Any = None, max: Any = None) -> Value:
    """Gradient 1 inside the bounds and on them, 0 outside."""
    source = lift(x)
    inner = floats(source)
    low = np.asarray(-np.inf) if min is None else floats(lift(min))
    high = np.asarray(np.inf) if max is None else floats(lift(max))
    bounded(np.broadcast_shapes(inner.shape, low.shape, high.shape))
    inside = (inner >= low) & (inner <= high)
    clipped = blockwise(np.clip, inner, low, high)
    return Value(clipped, [(source, lambda g: blockwise(np.multiply, g, inside))])


def where(condition: Any, x: Any, y: Any) -> Value:
    chosen = lift(condition).array.astype(bool)
    a, b = lift(x), lift(y)
    bounded(np.broadcast_shapes(chosen.shape, a.shape, b.shape))
    nothing = np.zeros(())
    return Value(
        blockwise(np.where, chosen, floats(a), floats(b)),
        [
            (a, lambda g: blockwise(np.where, chosen, g, nothing)),
            (b, lambda g: blockwise(np.where, chosen, nothing, g)),
        ],
    )


def masked_fill(x: Any, mask: Any, value: Any) -> Value:
    return where(mask, value, x)


def nan_to_num(x: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Value:
    source = lift(x)
    inner, top = floats(source), float(np.finfo(np.float32).max)
    high, low = top if posinf is None else posinf, -top if neginf is None else neginf

    def fill(x: Array) -> Array:
        return np.nan_to_num(x, nan=nan, posinf=high, neginf=low)

    def pull(g: Array) -> Array:
        return blockwise(lambda g, x: g * np.isfinite(x), g, inner)

    return Value(blockwise(fill, inner), [(source, pull)])


def constant(forward: Callable[[Array], Array]) -> Operation:
    """An operation whose result has no gradient."""

    def apply(x: Any, **_: Any) -> Value:
        return Value(blockwise(forward, lift(x).array))

    return apply


def _sigmoid(x: Array) -> Array:
    return np.exp(-np.logaddexp(0.0, -x))


def softplus(x: Any, beta: float = 1.0, threshold: float = 20.0) -> Value:
    source = lift(x)
    inner = floats(source)
    result = blockwise(lambda x: np.logaddexp(0.0, x * beta) / beta, inner)

    def pull(g: Array) -> Array:
        return blockwise(lambda g, x: g * _sigmoid(x * beta), g, inner)

    return Value(result, [(source, pull)])


def leaky_relu(x: Any, negative_slope: float = 0.01, inplace: bool = False) -> Value:
    source = lift(x)
    inner = floats(source)

    def sloped(g: Array, x: Array) -> Array:
        return g * np.where(x > 0, 1.0, negative_slope)

    return Value(blockwise(sloped, inner, inner), [(source, lambda g: blockwise(sloped, g, inner))])


ELEMENTWISE: dict[str, Operation] = {
    "exp": unary(np.exp, lambda x, y: y),
    "expm1": unary(np.expm1, lambda x, y: y + 1),
    "exp2": unary(np.exp2, lambda x, y: y * math.log(2)),
    "log": unary(np.log, lambda x, y: 1 / x),
    "log1p": unary(np.log1p, lambda x, y: 1 / (1 + x)),
    "log2": unary(np.log2, lambda x, y: 1 / (x * math.log(2))),
    "log10": unary(np.log10, lambda x, y: 1 / (x * math.log(10))),
    "sqrt": unary(np.sqrt, lambda x, y: 0.5 / y),
    "rsqrt": unary(lambda x: 1 / np.sqrt(x), lambda x, y: -0.5 * y / x),
    "reciprocal": unary(np.reciprocal, lambda x, y: -y * y),
    "square": unary(np.square, lambda x, y: 2 * x),
    "abs": unary(np.abs, lambda x, y: np.sign(x)),
    "neg": unary(np.negative, lambda x, y: -np.ones_like(x)),
    "pos": unary(np.positive, lambda x, y: np.ones_like(x)),
    "sin": unary(np.sin, lambda x, y: np.cos(x)),
    "cos": unary(np.cos, lambda x, y: -np.sin(x)),
    "tanh": unary(np.tanh, lambda x, y: 1 - y * y),
    "sigmoid": unary(_sigmoid, lambda x, y: y * (1 - y)),
    "log_sigmoid": unary(lambda x: -np.logaddexp(0.0, -x), lambda x, y: _sigmoid(-x)),
    "relu": unary(lambda x: np.maximum(x, 0.0), lambda x, y: (x > 0).astype(np.float64)),
    "silu": unary(
        lambda x: x * _sigmoid(x), lambda x, y: _sigmoid(x) * (1 + x * (1 - _sigmoid(x)))
    ),
    "sign": constant(np.sign),
    "floor": constant(np.floor),
    "ceil": constant(np.ceil),
    "round": constant(np.round),
    "trunc": constant(np.trunc),
    "isnan": constant(np.isnan),
    "isinf": constant(np.isinf),
    "isfinite": constant(np.isfinite),
    "logical_not": constant(np.logical_not),
    "invert": constant(lambda x: ~x),
    "detach": constant(lambda x: x),
    "softplus": softplus,
    "leaky_relu": leaky_relu,
    "add": add,
    "sub": subtract,
    "rsub": lambda x, y, alpha=1.0: subtract(y, x, alpha),
    "mul": multiply,
    "div": divide,
    "pow": power,
    "maximum": maximum,
    "minimum": minimum,
    "clamp": clamp,
    "clamp_min": lambda x, min: clamp(x, min=min),
    "clamp_max": lambda x, max: clamp(x, max=max),
    "where": where,
    "masked_fill": masked_fill,
    "nan_to_num": nan_to_num,
    "floordiv": comparison(np.floor_divide),
    "mod": binary(np.mod, lambda x, y, z: np.ones_like(z), lambda x, y, z: -np.floor(x / y)),
    "fmod": binary(np.fmod, lambda x, y, z: np.ones_like(z), lambda x, y, z: -np.trunc(x / y)),
    "gt": comparison(np.greater),
    "ge": comparison(np.greater_equal),
    "lt": comparison(np.less),
    "le": comparison(np.less_equal),
    "eq": comparison(np.equal),
    "ne": comparison(np.not_equal),
    "logical_and": comparison(np.logical_and),
    "logical_or": comparison(np.logical_or),
    "logical_xor": comparison(np.logical_xor),
    "and_": comparison(np.bitwise_and),
    "or_": comparison(np.bitwise_or),
    "xor": comparison(np.bitwise_xor),
}
