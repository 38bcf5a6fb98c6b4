"""Which library an array belongs to, and what the losses need of it.

A namespace is a module with the Array API's function names. numpy's own fits; torch's does too
for all that is used here; arrays being differentiated have theirs in `losses.traced`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def array_namespace(*arrays: Any) -> Any:
    """The module with the functions for these arrays; plain numbers and lists are numpy's.

    Among numpy arrays of which one is being differentiated, it is that one's.
    """
    if is_torch(arrays[0]):
        import torch  # type: ignore[import-not-found,unused-ignore]

        return torch
    chosen = next((array for array in arrays if is_traced(array)), arrays[0])
    own = getattr(chosen, "__array_namespace__", None)
    return np if own is None else own()


def is_torch(array: Any) -> bool:
    """Whether an array is a torch tensor, without importing torch."""
    return type(array).__module__.partition(".")[0] == "torch"


def is_traced(array: Any) -> bool:
    """Whether an array is being differentiated by autograd, without importing that."""
    return hasattr(array, "plain")


def plain(array: Any) -> Any:
    """The array itself, for a comparison or a metric that no gradient flows through."""
    return array.plain if is_traced(array) else array


def as_array(value: Any) -> Any:
    """Arrays as they are, traced ones too; lists and numbers as float64."""
    return value if hasattr(value, "shape") else np.asarray(value, dtype=np.float64)


def matching(constant: Any, like: Any) -> Any:
    """A constant in the library, and of the dtype, of another array."""
    if is_traced(like) and not is_traced(constant):
        return np.asarray(constant, dtype=like.dtype)
    if is_torch(like) and not is_torch(constant):
        return array_namespace(like).as_tensor(constant, dtype=like.dtype)
    return as_array(constant)


def joined(arrays: Sequence[Any] | Any) -> Any:
    """Several arrays, flattened into one; a single one keeps its shape."""
    if not isinstance(arrays, (list, tuple)):
        return as_array(arrays)
    parts = [as_array(array) for array in arrays]
    if len(parts) == 1:
        return parts[0]
    xp = array_namespace(parts[0])
    join = getattr(xp, "concat", None) or xp.cat
    return join([xp.reshape(part, (-1,)) for part in parts])
