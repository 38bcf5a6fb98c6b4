"""Work on large arrays in blocks: between two of them others may go first."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.training.custom_loss.values import Array

BLOCK = 1 << 17
"""Elements of a block."""
MULTIPLICATIONS = 1 << 24
"""Of a block of a product of matrices."""


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
    """The product of two matrices."""
    inner, width = right.shape
    columns = max(1, min(width, MULTIPLICATIONS // max(1, inner)))
    rows = max(1, MULTIPLICATIONS // max(1, inner * columns))
    if rows >= left.shape[0] and columns >= width:
        return np.asarray(left @ right)
    result = np.empty((left.shape[0], width))
    for top in range(0, left.shape[0], rows):
        for start in range(0, width, columns):
            checkpoint()
            down, across = slice(top, top + rows), slice(start, start + columns)
            result[down, across] = left[down] @ right[:, across]
    return result


def added_at(shape: tuple[int, ...], index: Any, values: Array) -> Array:
    """Zeros of a shape with the values added at the places of an index."""
    result = np.zeros(shape)
    if np.size(values) <= BLOCK:
        np.add.at(result, index, values)
        return result
    numbers = np.arange(result.size).reshape(shape)[index]
    flat, spread = result.ravel(), np.broadcast_to(values, numbers.shape)
    for place in _places(numbers.shape):
        checkpoint()
        np.add.at(flat, numbers[place], spread[place])
    return result
