"""Which library an array belongs to, and what the losses need of it.

A namespace is a module with the Array API's function names. numpy's own fits; torch's does too
for all that is used here; traced variables have theirs in `losses.traced`.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np


def is_torch(array: Any) -> bool:
    """Whether an array is a torch tensor, without importing torch."""
    return type(array).__module__.partition(".")[0] == "torch"


def array_namespace(array: Any) -> Any:
    """The module with the functions for this array; plain numbers and lists are numpy's."""
    from tinker_mock.client.losses.tape import Variable

    if isinstance(array, Variable):
        from tinker_mock.client.losses import traced

        return traced
    if is_torch(array):
        import torch  # type: ignore[import-not-found,unused-ignore]

        return torch
    own = getattr(array, "__array_namespace__", None)
    return np if own is None else own()


def as_array(value: Any) -> Any:
    """Arrays and variables as they are; lists and numbers as float64."""
    return value if hasattr(value, "shape") else np.asarray(value, dtype=np.float64)


def matching(constant: Any, like: Any) -> Any:
    """A constant in the library, and of the dtype, of another array."""
    from tinker_mock.client.losses.tape import Variable, lift

    if isinstance(constant, Variable) or not hasattr(like, "dtype"):
        return as_array(constant)
    if isinstance(like, Variable):
        return lift(constant, like)
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
    return concatenate(xp, [xp.reshape(part, (-1,)) for part in parts])


def concatenate(xp: ModuleType | Any, parts: Sequence[Any]) -> Any:
    join = getattr(xp, "concat", None) or xp.cat
    return join(list(parts))
