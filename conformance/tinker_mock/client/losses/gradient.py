"""Gradients of a function of arrays: torch's tensors by torch, all others by autograd."""

import math
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from tinker_mock.client.errors import invalid
from tinker_mock.client.losses.arrays import as_array, is_torch

Function = Callable[..., Any]
_TRACING = threading.RLock()  # autograd keeps one stack of traces for the whole process


def value_and_gradients(function: Function, arrays: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The value of `function(*arrays)` and its gradient for each array.

    A value that is not a scalar is summed. Torch tensors are differentiated by torch, anything
    else by autograd: so the function must use operators, array methods, or the functions of
    `losses.arrays.array_namespace(x)`. Raises `ValidationError` when autograd is not installed.
    """
    if not arrays:
        return function(), []
    if is_torch(arrays[0]):
        return _by_torch(function, arrays)
    floats = [_floating(array) for array in arrays]
    with _TRACING:
        value, slopes = _autograd().value_and_gradients(function, floats)
    return value, slopes


def gradient_norm(function: Function, *arrays: Any) -> float:
    """The L2 norm of all gradients together."""
    _, found = value_and_gradients(function, arrays)
    return math.sqrt(sum(float((slope * slope).sum()) for slope in found))


def _by_torch(function: Function, arrays: Sequence[Any]) -> tuple[Any, list[Any]]:
    import torch

    inputs = [array.detach().clone().requires_grad_(True) for array in arrays]
    value = function(*inputs)
    if not value.requires_grad:
        return value, [torch.zeros_like(array) for array in inputs]
    found = torch.autograd.grad(value.sum(), inputs, allow_unused=True)
    zeros = (torch.zeros_like(array) for array in inputs)
    return value.detach(), [
        zero if slope is None else slope for slope, zero in zip(found, zeros, strict=True)
    ]


def _autograd() -> ModuleType:
    """Differentiation of numpy arrays; loaded late, for only custom losses need the package."""
    try:
        from tinker_mock.client.losses import traced
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "autograd":
            raise
        raise invalid(
            "a custom loss needs the package autograd: pip install 'tinker-mock[conformance]'"
        ) from None
    return traced


def _floating(array: Any) -> Any:
    array = as_array(array)
    kind = getattr(array.dtype, "kind", "f")
    return array.astype(np.float64) if kind in "iub" else array
