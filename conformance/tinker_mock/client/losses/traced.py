"""The Array API's functions over traced variables, as far as losses need them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tinker_mock.client.losses import tape
from tinker_mock.client.losses.arrays import array_namespace, concatenate
from tinker_mock.client.losses.tape import Variable


def asarray(value: Any, dtype: Any = None) -> Variable:
    """A constant."""
    import numpy as np

    return value if isinstance(value, Variable) else Variable(np.asarray(value, dtype=dtype))


def sum(a: Variable, axis: Any = None, keepdims: bool = False) -> Variable:
    return tape.total(a, axis, keepdims)


def mean(a: Variable, axis: Any = None, keepdims: bool = False) -> Variable:
    return a.mean(axis, keepdims)


def exp(a: Variable) -> Variable:
    value = array_namespace(a.value).exp(a.value)
    return Variable(value, (a,), lambda g: (g * exp(a),))


def log(a: Variable) -> Variable:
    value = array_namespace(a.value).log(a.value)
    return Variable(value, (a,), lambda g: (g / a,))


def sqrt(a: Variable) -> Variable:
    return tape.power(a, 0.5)


def abs(a: Variable) -> Variable:
    xp = array_namespace(a.value)
    return Variable(xp.abs(a.value), (a,), lambda g: (g * xp.sign(a.value),))


def where(condition: Any, a: Any, b: Any) -> Variable:
    """Choose by a constant condition."""
    like = a if isinstance(a, Variable) else b
    mask = condition.value if isinstance(condition, Variable) else condition
    one = array_namespace(like.value).asarray(mask, dtype=like.dtype)
    a, b = tape.lift(a, like), tape.lift(b, like)
    return _masked(a, one) + _masked(b, 1 - one)


def clip(a: Variable, low: float, high: float) -> Variable:
    """Cut to a range; no gradient flows where it was cut."""
    xp = array_namespace(a.value)
    inside = xp.asarray((a.value >= low) & (a.value <= high), dtype=a.dtype)
    return Variable(xp.clip(a.value, low, high), (a,), lambda g: (g * inside,))


def reshape(a: Variable, shape: tuple[int, ...]) -> Variable:
    return tape.reshape(a, shape)


def concat(parts: Sequence[Variable]) -> Variable:
    """Join along the first axis."""
    value = concatenate(array_namespace(parts[0].value), [part.value for part in parts])
    ends = [0]
    for part in parts:
        ends.append(ends[-1] + part.shape[0])

    def backward(g: Variable) -> tuple[Variable, ...]:
        return tuple(g[start:end] for start, end in pairwise(ends))

    return Variable(value, tuple(parts), backward)


def eye(n: int, dtype: Any = None) -> Any:
    import numpy as np

    return np.eye(n, dtype=dtype)


def zeros_like(a: Variable) -> Variable:
    return Variable(array_namespace(a.value).zeros_like(a.value))


def max(a: Variable, axis: Any = None, keepdims: bool = False) -> Variable:
    """As a constant: it only ever shifts exponents here."""
    return Variable(array_namespace(a.value).max(a.value, axis=axis, keepdims=keepdims))


def _masked(a: Variable, mask: Any) -> Variable:
    """Where the mask is 0 the value is 0, even if it was infinite or not a number."""
    xp = array_namespace(a.value)
    value = xp.where(mask != 0, a.value, xp.zeros_like(a.value))
    return Variable(value, (a,), lambda g: (tape._reduced(_masked(g, mask), a.shape),))
