"""Reverse-mode differentiation over any Array-API array, for backends without their own.

A `Variable` is an array and where it came from. Operations record how a gradient flows back, in
terms of variables again, so gradients can be differentiated too (a gradient penalty needs that).
"""

from collections.abc import Callable, Sequence
from typing import Any

from tinker_mock.client.losses.arrays import array_namespace

Backward = Callable[["Variable"], tuple["Variable | None", ...]]


class Variable:
    """A traced array. Arithmetic works as on arrays; functions are in `losses.traced`."""

    __array_priority__ = 1000
    __array_ufunc__ = None  # numpy arrays on the left leave arithmetic to us

    def __init__(
        self, value: Any, parents: tuple["Variable", ...] = (), backward: Backward | None = None
    ) -> None:
        self.value = value
        self.parents = parents
        self.backward = backward

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def size(self) -> int:
        product = 1
        for length in self.shape:
            product *= length
        return product

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"Variable({self.value!r})"

    def __add__(self, other: Any) -> "Variable":
        return add(self, other)

    __radd__ = __add__

    def __neg__(self) -> "Variable":
        return multiply(self, -1.0)

    def __sub__(self, other: Any) -> "Variable":
        return add(self, -lift(other, self))

    def __rsub__(self, other: Any) -> "Variable":
        return add(-self, other)

    def __mul__(self, other: Any) -> "Variable":
        return multiply(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Variable":
        return multiply(self, power(lift(other, self), -1.0))

    def __rtruediv__(self, other: Any) -> "Variable":
        return multiply(power(self, -1.0), other)

    def __pow__(self, exponent: float) -> "Variable":
        return power(self, exponent)

    def __matmul__(self, other: Any) -> "Variable":
        return matmul(self, lift(other, self))

    def __getitem__(self, key: Any) -> "Variable":
        return take(self, key)

    @property
    def T(self) -> "Variable":
        return transpose(self)

    def sum(self, axis: Any = None, keepdims: bool = False) -> "Variable":
        return total(self, axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> "Variable":
        added = total(self, axis, keepdims)
        return added * (added.size / self.size)


def lift(value: Any, like: Variable) -> Variable:
    """A constant of the same backend and dtype."""
    if isinstance(value, Variable):
        return value
    xp = array_namespace(like.value)
    return Variable(xp.asarray(value, dtype=like.dtype))


def gradients(output: Variable, inputs: Sequence[Variable]) -> list[Variable]:
    """d output / d input for each input; zeros where output does not depend on it.

    `output` of any shape counts as the sum of its entries.
    """
    xp = array_namespace(output.value)
    found: dict[int, Variable] = {id(output): Variable(xp.ones_like(output.value))}
    for node in reversed(_in_order(output)):
        upstream = found.get(id(node))
        if upstream is None or node.backward is None:
            continue
        for parent, part in zip(node.parents, node.backward(upstream), strict=True):
            if part is not None:
                held = found.get(id(parent))
                found[id(parent)] = part if held is None else held + part
    zero = [Variable(array_namespace(one.value).zeros_like(one.value)) for one in inputs]
    return [found.get(id(one), none) for one, none in zip(inputs, zero, strict=True)]


def _in_order(output: Variable) -> list[Variable]:
    """Every ancestor before its descendants, without recursion: traces can be long."""
    ordered: list[Variable] = []
    seen: set[int] = set()
    stack: list[tuple[Variable, bool]] = [(output, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            ordered.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in node.parents)
    return ordered


def _reduced(grad: Variable, shape: tuple[int, ...]) -> Variable:
    """Undo broadcasting: sum over the axes that were stretched."""
    extra = grad.ndim - len(shape)
    if extra:
        grad = total(grad, tuple(range(extra)), False)
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and grad.shape[i] != 1)
    return total(grad, axes, True) if axes else grad


def add(a: Any, b: Any) -> Variable:
    a, b = _pair(a, b)
    return Variable(
        a.value + b.value, (a, b), lambda g: (_reduced(g, a.shape), _reduced(g, b.shape))
    )


def multiply(a: Any, b: Any) -> Variable:
    a, b = _pair(a, b)
    return Variable(
        a.value * b.value, (a, b), lambda g: (_reduced(g * b, a.shape), _reduced(g * a, b.shape))
    )


def power(a: Variable, exponent: float) -> Variable:
    """a to a constant power."""
    return Variable(a.value**exponent, (a,), lambda g: (g * power(a, exponent - 1.0) * exponent,))


def matmul(a: Variable, b: Variable) -> Variable:
    """Of two matrices."""
    return Variable(a.value @ b.value, (a, b), lambda g: (g @ transpose(b), transpose(a) @ g))


def transpose(a: Variable) -> Variable:
    return Variable(a.value.T, (a,), lambda g: (transpose(g),))


def total(a: Variable, axis: Any = None, keepdims: bool = False) -> Variable:
    """The sum over axes."""
    xp = array_namespace(a.value)
    kept = tuple(
        1 if axis is None or i in _axes(axis, a.ndim) else n for i, n in enumerate(a.shape)
    )
    value = xp.sum(a.value, axis=axis, keepdims=keepdims)
    return Variable(value, (a,), lambda g: (stretch(reshape(g, kept), a.shape),))


def stretch(a: Variable, shape: tuple[int, ...]) -> Variable:
    """Broadcast to a shape."""
    xp = array_namespace(a.value)
    return Variable(xp.broadcast_to(a.value, shape), (a,), lambda g: (_reduced(g, a.shape),))


def reshape(a: Variable, shape: tuple[int, ...]) -> Variable:
    xp = array_namespace(a.value)
    return Variable(xp.reshape(a.value, shape), (a,), lambda g: (reshape(g, a.shape),))


def take(a: Variable, key: Any) -> Variable:
    """Indexing; the key is constant."""
    return Variable(a.value[key], (a,), lambda g: (_put(g, key, a.shape),))


def _put(g: Variable, key: Any, shape: tuple[int, ...]) -> Variable:
    xp = array_namespace(g.value)
    value = xp.zeros(shape, dtype=g.dtype)
    if hasattr(xp, "add") and hasattr(xp.add, "at"):
        xp.add.at(value, key, g.value)  # counts repeated indices
    else:
        value[key] = g.value
    return Variable(value, (g,), lambda upstream: (take(upstream, key),))


def _pair(a: Any, b: Any) -> tuple[Variable, Variable]:
    if isinstance(a, Variable):
        return a, lift(b, a)
    return lift(a, b), b


def _axes(axis: Any, ndim: int) -> set[int]:
    axes = (axis,) if isinstance(axis, int) else axis
    return {one % ndim for one in axes}
