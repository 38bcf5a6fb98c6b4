"""Work on large arrays in blocks: between two of them others may go first."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.training.custom_loss.values import Array

BLOCK = 1 << 17
"""Elements of a block."""
SIDE = 64
"""Rows and columns of a block of a product of matrices."""
MULTIPLICATIONS, VECTOR = 1 << 18, 1 << 13
"""Of such a block, and of one that is a product with a vector."""


def blockwise(function: Callable[..., Array], *arrays: Array) -> Array:
    """`function(*arrays)` of a function that works element by element; shapes broadcast."""
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    if math.prod(shape) <= BLOCK:
        return function(*arrays)
    spread = [np.broadcast_to(array, shape) for array in arrays]
    result: Array | None = None
    for place in _places(shape):
        checkpoint()
        part = function(*(array[place] for array in spread))
        if result is None:
            result = np.empty(shape, part.dtype)
        result[place] = part
    assert result is not None
    return result


def _places(shape: tuple[int, ...]) -> Iterator[tuple[Any, ...]]:
    """Index tuples that together cover the shape, a block each."""
    inner = math.prod(shape[1:])
    if inner > BLOCK:
        for row in range(shape[0]):
            yield from ((slice(row, row + 1), *rest) for rest in _places(shape[1:]))
        return
    rows = BLOCK // inner
    yield from ((slice(start, start + rows),) for start in range(0, shape[0], rows))


def product(left: Array, right: Array) -> Array:
    """The product of two matrices; in blocks so small that BLAS does not use threads of its own,
    which would take the processor from everybody."""
    height, inner = left.shape
    width = right.shape[1]
    tall, wide = min(height, SIDE), min(width, SIDE)
    deep = max(1, (MULTIPLICATIONS if min(tall, wide) > 1 else VECTOR) // max(1, tall * wide))
    result = np.zeros((height, width))
    for top in range(0, height, SIDE):
        for start in range(0, width, SIDE):
            down, across = slice(top, top + SIDE), slice(start, start + SIDE)
            for first in range(0, inner, deep):
                checkpoint()
                along = slice(first, first + deep)
                result[down, across] += left[down, along] @ right[along, across]
    return result


def added_at(shape: tuple[int, ...], index: Any, values: Array) -> Array:
    """Zeros of a shape with the values added at the places of an index."""
    result = np.zeros(shape)
    if np.size(values) <= BLOCK:
        np.add.at(result, index, values)
        return result
    numbers = np.arange(result.size).reshape(shape)[index]
    checkpoint()
    flat, spread = result.ravel(), np.broadcast_to(values, numbers.shape)
    for place in _places(numbers.shape):
        checkpoint()
        np.add.at(flat, numbers[place], spread[place])
    return result
