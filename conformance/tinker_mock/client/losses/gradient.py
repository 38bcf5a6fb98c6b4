"""Gradients of a function of arrays, with torch's autograd or with our own tape."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinker_mock.client.losses.arrays import as_array, is_torch
from tinker_mock.client.losses.tape import Variable, gradients

Function = Callable[..., Any]


def value_and_gradients(function: Function, arrays: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The value of `function(*arrays)` and its gradient for each array.

    A value that is not a scalar is summed. Torch tensors are differentiated by torch, anything
    else by tracing; so the function must use operators, array methods, or the functions of
    `losses.arrays.array_namespace(x)`, and no `numpy.*` on traced arrays.
    """
    if arrays and is_torch(arrays[0]):
        return _torch(function, arrays)
    inputs = [Variable(_floating(array)) for array in arrays]
    value = function(*inputs)
    if not isinstance(value, Variable):  # constant: it does not depend on the arrays
        return value, [np.zeros(one.shape, one.dtype) for one in inputs]
    return value.value, [one.value for one in gradients(value, inputs)]


def gradient_norm(function: Function, *arrays: Any) -> float:
    """The L2 norm of all gradients together."""
    _, found = value_and_gradients(function, arrays)
    return math.sqrt(sum(float((one * one).sum()) for one in found))


def _torch(function: Function, arrays: Sequence[Any]) -> tuple[Any, list[Any]]:
    import torch

    inputs = [array.detach().clone().requires_grad_(True) for array in arrays]
    value = function(*inputs)
    if not value.requires_grad:
        return value, [torch.zeros_like(one) for one in inputs]
    found = torch.autograd.grad(value.sum(), inputs, allow_unused=True)
    zeros = (torch.zeros_like(one) for one in inputs)
    return value.detach(), [
        zero if one is None else one for one, zero in zip(found, zeros, strict=True)
    ]


def _floating(array: Any) -> Any:
    array = as_array(array)
    kind = getattr(array.dtype, "kind", "f")
    return array.astype(np.float64) if kind in "iub" else array
