"""Differentiation of functions of numpy arrays, with the package `autograd`.

While a function is differentiated its arrays are `TracedArray`s, and this module is their
namespace: numpy's functions as autograd wraps them, with two of them put right. Import it only to
differentiate: it is the one place that needs autograd.
"""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import autograd.numpy as anp
from autograd import make_vjp
from autograd.builtins import tuple as traced_tuple
from autograd.extend import Box
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import getval


class TracedArray(ArrayBox):  # type: ignore[misc]
    """An array being differentiated. Operators and methods are numpy's."""

    __slots__ = ()

    def __float__(self) -> float:
        """The number itself, for a metric; no gradient flows through it."""
        return float(self.plain)

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return sys.modules[__name__]

    @property
    def plain(self) -> Any:
        """The array itself, for comparisons that no gradient flows through."""
        return getval(self)


def value_and_gradients(
    function: Callable[..., Any], arrays: Sequence[Any]
) -> tuple[Any, list[Any]]:
    """The value of `function(*arrays)`, and the gradient of its sum for each array.

    The arrays may themselves be traced: then so are the gradients.
    """

    def value_and_first(*inputs: Any) -> Any:
        # The first input beside the value: autograd warns of a result that depends on no input.
        return traced_tuple((function(*inputs) * 1.0, inputs[0]))

    with _tracing():
        every = tuple(range(len(arrays)))
        pull_back, (value, first) = make_vjp(value_and_first, argnum=every)(*arrays)
        slopes = pull_back((anp.ones_like(value), anp.zeros_like(first)))
    return value, list(slopes)


concat = anp.concatenate  # autograd follows numpy's older name only


def clip(a: Any, low: float, high: float) -> Any:
    """Cut to a range; as in torch, the gradient still flows at its very ends."""
    inside = (a >= low) & (a <= high)
    return anp.where(inside, a, anp.clip(getval(a), low, high))


def __getattr__(name: str) -> Any:
    return getattr(anp, name)


_lock = threading.RLock()
_ARRAYS = [kind for kind, box in Box.type_mappings.items() if box is ArrayBox]
TracedArray.register(TracedArray)


@contextmanager
def _tracing() -> Iterator[None]:
    """Trace arrays as `TracedArray`s, one thread at a time.

    autograd counts nested traces, and keeps its table of traced types, for the whole process.
    """
    with _lock:
        before = dict(Box.type_mappings)
        Box.type_mappings.update(dict.fromkeys(_ARRAYS, TracedArray))
        try:
            yield
        finally:
            Box.type_mappings.update(before)
