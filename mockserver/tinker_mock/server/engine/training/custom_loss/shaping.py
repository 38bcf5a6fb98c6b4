"""Allowed operations that select, reshape, join or make tensors."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.training.custom_loss.blocks import added_at
from tinker_mock.server.engine.training.custom_loss.elementwise import subtract
from tinker_mock.server.engine.training.custom_loss.values import (
    Array,
    Value,
    bounded,
    floats,
    lift,
)

ATTRIBUTES = ("shape", "ndim", "T", "mT", "values", "indices")


def _moved(
    forward: Callable[[Array], Array], back: Callable[[Array], Array]
) -> Callable[[Value], Value]:
    def apply(source: Value) -> Value:
        return Value(forward(source.array), [(source, back)])

    return apply


def getitem(x: Any, key: Any) -> Any:
    """Indexing with numbers, slices, `...`, None, masks and index tensors."""
    if not isinstance(x, Value):
        return x[int(key.array) if isinstance(key, Value) else key]
    index = tuple(_index(k) for k in key) if isinstance(key, tuple) else _index(key)
    _bound_picked(x.shape, index if isinstance(index, tuple) else (index,))

    return Value(x.array[index], [(x, lambda g: added_at(x.shape, index, g))])


def _bound_picked(shape: tuple[int, ...], index: tuple[Any, ...]) -> None:
    """Refuse index tensors whose result would be too large, before it is made."""
    tensors = [k for k in index if isinstance(k, np.ndarray | list)]
    if tensors:
        picked = np.broadcast_shapes(*(np.shape(k) for k in tensors))
        rest = math.prod(shape) // max(1, math.prod(sorted(shape)[: len(tensors)]))
        bounded((*picked, rest))


def _index(key: Any) -> Any:
    if isinstance(key, Value):
        return key.array if key.array.dtype.kind == "b" else key.array.astype(np.int64)
    if isinstance(key, slice):
        return slice(*(_whole(part) for part in (key.start, key.stop, key.step)))
    return key


def _whole(part: Any) -> Any:
    return int(part.array) if isinstance(part, Value) else part


def _sizes(given: tuple[Any, ...]) -> tuple[int, ...]:
    listed = given[0] if len(given) == 1 and isinstance(given[0], list | tuple) else given
    return tuple(int(_whole(n)) for n in listed)


def reshape(x: Any, *shape: Any) -> Value:
    source = lift(x)
    sizes = _sizes(shape)
    return _moved(lambda a: a.reshape(sizes), lambda g: g.reshape(source.shape))(source)


def flatten(x: Any, start_dim: int = 0, end_dim: int = -1) -> Value:
    shape = lift(x).shape
    if not shape:
        return reshape(x, (1,))
    start, end = start_dim % len(shape), end_dim % len(shape)
    joined = int(np.prod(shape[start : end + 1]))
    return reshape(x, (*shape[:start], joined, *shape[end + 1 :]))


def unsqueeze(x: Any, dim: int) -> Value:
    source = lift(x)
    return _moved(lambda a: np.expand_dims(a, dim), lambda g: g.reshape(source.shape))(source)


def squeeze(x: Any, dim: Any = None) -> Value:
    source = lift(x)
    ones = tuple(i for i, n in enumerate(source.shape) if n == 1)
    if dim is not None:
        listed = dim if isinstance(dim, list | tuple) else [dim]
        ones = tuple(i for i in ones if i in {d % len(source.shape) for d in listed})
    return _moved(lambda a: a.squeeze(ones), lambda g: g.reshape(source.shape))(source)


def transpose(x: Any, dim0: int = 0, dim1: int = 1) -> Value:
    source = lift(x)
    if source.array.ndim < 2:
        return source
    return _moved(lambda a: np.swapaxes(a, dim0, dim1), lambda g: np.swapaxes(g, dim0, dim1))(
        source
    )


def permute(x: Any, *dims: Any) -> Value:
    source = lift(x)
    order = _sizes(dims)
    back = np.argsort(order)
    return _moved(lambda a: np.transpose(a, order), lambda g: np.transpose(g, back))(source)


def expand(x: Any, *sizes: Any) -> Value:
    source = lift(x)
    wanted = list(_sizes(sizes))
    lead = len(wanted) - len(source.shape)
    for i, n in enumerate(source.shape):
        wanted[lead + i] = n if wanted[lead + i] == -1 else wanted[lead + i]
    bounded(wanted)
    return _moved(lambda a: np.broadcast_to(a, wanted).copy(), lambda g: g)(source)


def flip(x: Any, *dims: Any) -> Value:
    source = lift(x)
    axes = _sizes(dims)
    return _moved(lambda a: np.flip(a, axes), lambda g: np.flip(g, axes))(source)


def _taking(index: Any, dim: int) -> Callable[[Array], Array]:
    return lambda g: np.take(g, index, axis=dim)


def stack(tensors: Any, dim: int = 0) -> Value:
    sources = [lift(t) for t in tensors]
    bounded((len(sources), *sources[0].shape))
    return Value(
        np.stack([floats(s) for s in sources], axis=dim),
        [(s, _taking(i, dim)) for i, s in enumerate(sources)],
    )


def cat(tensors: Any, dim: int = 0) -> Value:
    sources = [lift(t) for t in tensors]
    bounded((sum(s.array.size for s in sources),))
    ends = np.cumsum([s.shape[dim] for s in sources])
    return Value(
        np.concatenate([floats(s) for s in sources], axis=dim),
        [
            (s, _taking(np.arange(e - s.shape[dim], e), dim))
            for s, e in zip(sources, ends, strict=True)
        ],
    )


def gather(x: Any, dim: int, index: Any) -> Value:
    source = lift(x)
    at = lift(index).array.astype(np.int64)
    bounded(at.shape)
    axis = dim % len(source.shape)
    # An index may be shorter than the tensor along the other axes.
    part = tuple(slice(None) if i == axis else slice(n) for i, n in enumerate(at.shape))

    def pull(g: Array) -> Array:
        grid: list[Array] = list(np.indices(at.shape, sparse=True))
        grid[axis] = at
        return added_at(source.shape, tuple(grid), g)

    return Value(np.take_along_axis(source.array[part], at, axis), [(source, pull)])


def select(x: Any, dim: int, index: Any) -> Any:
    key = [slice(None)] * len(lift(x).shape)
    key[dim] = _whole(index)
    return getitem(lift(x), tuple(key))


def narrow(x: Any, dim: int, start: Any, length: Any) -> Any:
    key = [slice(None)] * len(lift(x).shape)
    key[dim] = slice(_whole(start), _whole(start) + _whole(length))
    return getitem(lift(x), tuple(key))


def diff(x: Any, n: int = 1, dim: int = -1) -> Any:
    value = lift(x)
    if not 0 <= n <= value.shape[dim]:
        raise ValueError(f"diff takes n from 0 to {value.shape[dim]}, the size of its axis")
    for _ in range(n):
        checkpoint()
        size = value.shape[dim]
        value = subtract(narrow(value, dim, 1, size - 1), narrow(value, dim, 0, size - 1))
    return value


def size(x: Any, dim: int | None = None) -> Any:
    shape = lift(x).shape
    return shape if dim is None else shape[dim]


def attribute(x: Any, name: str) -> Any:
    """The few attributes a traced loss may read."""
    if name not in ATTRIBUTES:
        raise ValueError(f"attribute {name!r} is not allowed")
    if name in ("T", "mT"):
        return transpose(x)
    if name in ("shape", "ndim"):
        return getattr(lift(x).array, name)
    return getattr(x, name)


def same(x: Any, *_: Any, **__: Any) -> Any:
    return x


def as_float(x: Any, *_: Any, **__: Any) -> Value:
    source = lift(x)
    return Value(floats(source), [(source, lambda g: g)])


def to(x: Any, *kinds: Any, dtype: Any = None, **_: Any) -> Any:
    """Casts: floats stay float64; bool and integer types lose the gradient."""
    wanted = dtype or next((k for k in kinds if isinstance(k, str)), None)
    if wanted in ("bool", "int64", "long", "int32", "int"):
        return Value(lift(x).array.astype(bool if wanted == "bool" else np.int64))
    return as_float(x)


def filled(value: float) -> Callable[..., Value]:
    """zeros, ones: `f(*sizes)` or `f(size)`."""
    return lambda *sizes, **_: Value(np.full(bounded(_sizes(sizes)), value))


def filled_like(value: float) -> Callable[..., Value]:
    return lambda x, **_: Value(np.full(lift(x).shape, value))


def arange(*bounds: Any, **_: Any) -> Value:
    numbers = range(*(_whole(b) for b in bounds))
    bounded((len(numbers),))
    return Value(np.array(numbers))


SHAPING: dict[str, Callable[..., Any]] = {
    "getitem": getitem,
    "getattr": attribute,
    "reshape": reshape,
    "view": reshape,
    "flatten": flatten,
    "ravel": flatten,
    "unsqueeze": unsqueeze,
    "squeeze": squeeze,
    "transpose": transpose,
    "t": transpose,
    "permute": permute,
    "expand": expand,
    "expand_as": lambda x, other: expand(x, lift(other).shape),
    "broadcast_to": lambda x, shape: expand(x, shape),
    "flip": flip,
    "stack": stack,
    "cat": cat,
    "concat": cat,
    "gather": gather,
    "index_select": lambda x, dim, index: getitem(
        lift(x), (*[slice(None)] * (dim % len(lift(x).shape)), lift(index))
    ),
    "masked_select": lambda x, mask: getitem(lift(x), lift(mask)),
    "select": select,
    "narrow": narrow,
    "diff": diff,
    "size": size,
    "dim": lambda x: lift(x).array.ndim,
    "numel": lambda x: lift(x).array.size,
    "float": as_float,
    "double": as_float,
    "to": to,
    "type": to,
    "type_as": as_float,
    "long": lambda x: to(x, "int64"),
    "int": lambda x: to(x, "int64"),
    "bool": lambda x: to(x, "bool"),
    "clone": same,
    "contiguous": same,
    "zeros": filled(0.0),
    "ones": filled(1.0),
    "new_zeros": lambda x, *sizes, **_: Value(np.zeros(bounded(_sizes(sizes)))),
    "new_ones": lambda x, *sizes, **_: Value(np.ones(bounded(_sizes(sizes)))),
    "zeros_like": filled_like(0.0),
    "ones_like": filled_like(1.0),
    "full_like": lambda x, fill_value, **_: Value(np.full(lift(x).shape, float(fill_value))),
    "arange": arange,
}
