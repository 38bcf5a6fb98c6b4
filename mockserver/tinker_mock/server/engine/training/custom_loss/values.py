"""Reverse-mode differentiation over numpy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.budget import checkpoint, reserve

Array = NDArray[Any]
Pull = Callable[[Array], Array]

LARGEST = 1 << 22
"""No intermediate array may have more elements."""


class Value:
    """An array and how its gradient flows to the values it came from."""

    __slots__ = ("array", "edges")

    def __init__(self, array: Any, edges: Sequence[tuple[Value, Pull]] = ()) -> None:
        self.array: Array = np.asarray(array)
        if self.array.base is None:
            reserve(self.array.nbytes)
        self.edges = [edge for edge in edges if edge[0].differentiable]

    @property
    def differentiable(self) -> bool:
        return bool(self.edges) or isinstance(self, Leaf)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape


class Leaf(Value):
    """A value whose gradient is wanted."""

    __slots__ = ()


def bounded(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape itself, refused before anything so large is made."""
    if math.prod(shape) > LARGEST:
        raise ValueError(
            f"an array of shape {list(shape)} is too large: at most {LARGEST} elements"
        )
    return tuple(shape)


def lift(x: Any) -> Value:
    return x if isinstance(x, Value) else Value(x)


def floats(x: Value) -> Array:
    """The value's array for arithmetic: bools and integers as float64."""
    return x.array.astype(np.float64) if x.array.dtype.kind in "biu" else x.array


def fold(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient back over the axes that broadcasting added."""
    if gradient.shape == shape:
        return gradient
    extra = gradient.ndim - len(shape)
    gradient = gradient.sum(axis=tuple(range(extra)))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and gradient.shape[i] != 1)
    return np.asarray(gradient.sum(axis=stretched, keepdims=True)).reshape(shape)


def gradient_of(output: Value, leaf: Leaf) -> Array:
    """d output / d leaf for a scalar output; zeros where nothing flows."""
    gradients: dict[int, Array] = {id(output): np.ones(output.shape)}
    for value in reversed(_in_order(output)):
        flowing = gradients.pop(id(value), None) if value is not leaf else None
        if flowing is None:
            continue
        checkpoint()
        for source, pull in value.edges:
            piece = fold(np.asarray(pull(flowing)), source.shape)
            known = gradients.get(id(source))
            gradients[id(source)] = piece if known is None else known + piece
    return gradients.get(id(leaf), np.zeros(leaf.shape))


def _in_order(output: Value) -> list[Value]:
    """Sources before what they feed."""
    order: list[Value] = []
    seen: set[int] = set()
    stack: list[tuple[Value, bool]] = [(output, False)]
    while stack:
        value, done = stack.pop()
        if done:
            order.append(value)
        elif id(value) not in seen:
            seen.add(id(value))
            stack.append((value, True))
            stack.extend((source, False) for source, _ in value.edges)
    return order
