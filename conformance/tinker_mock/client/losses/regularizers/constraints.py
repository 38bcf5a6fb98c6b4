"""Agreement of two arrays, independence of rows, size of gradients."""

from collections.abc import Callable
from typing import Any, Literal

from tinker_mock.client.errors import invalid
from tinker_mock.client.losses.arrays import array_namespace, as_array, is_torch, matching
from tinker_mock.client.losses.gradient import value_and_gradients
from tinker_mock.client.losses.regularizers.divergences import kl
from tinker_mock.client.losses.regularizers.penalties import Reduction, reduce

Metric = Literal["mse", "l1", "cosine", "kl"]
Mode = Literal["soft", "hard", "spectral"]
_SMALLEST_NORM = 1e-8


def disagreement(a: Any, b: Any, *, metric: Metric = "mse", reduction: Reduction = "mean") -> Any:
    """How far two arrays of one shape are apart; `kl` is symmetric and wants log-probabilities."""
    a = as_array(a)
    b = matching(b, a)
    xp = array_namespace(a, b)
    if metric == "mse":
        return reduce((a - b) * (a - b), reduction)
    if metric == "l1":
        return reduce(xp.abs(a - b), reduction)
    if metric == "cosine":
        return reduce(1.0 - xp.sum(a * b, axis=-1) / (_norm(xp, a) * _norm(xp, b)), reduction)
    if metric == "kl":
        return reduce((kl(a, b) + kl(b, a)) / 2, reduction)
    raise invalid(f"metric must be mse, l1, cosine or kl, got {metric!r}")


def dependence(x: Any, *, mode: Mode = "soft", normalize: bool = True, axis: str = "rows") -> Any:
    """How far the rows (or columns) of a matrix are from orthogonal.

    With G the matrix of their products: `soft` is the sum of squares off the diagonal, `hard`
    that of G - I, `spectral` the soft one plus (trace - n)².
    """
    x = as_array(x)
    xp = array_namespace(x)
    if len(x.shape) != 2:
        raise invalid(f"orthogonality needs a matrix, got shape {tuple(x.shape)}")
    x = x.T if axis == "columns" else x
    if normalize:
        x = x / xp.reshape(_norm(xp, x), (x.shape[0], 1))
    gram = x @ x.T
    identity = _identity(xp, gram)
    if mode == "hard":
        return xp.sum((gram - identity) * (gram - identity))
    soft = xp.sum(gram * gram * (1.0 - identity))
    if mode == "soft":
        return soft
    if mode != "spectral":
        raise invalid(f"mode must be soft, hard or spectral, got {mode!r}")
    excess = xp.sum(gram * identity) - float(x.shape[0])
    return soft + excess * excess


def gradient_excess(loss: Callable[[Any], Any], x: Any, *, target: float = 1.0) -> Any:
    """(‖∇loss(x)‖ - target)². Traced input gives a traced result: it can be differentiated."""
    x = as_array(x)
    if is_torch(x):
        return _torch_excess(loss, x, target)
    _, (slope,) = value_and_gradients(loss, [x])
    size = _length(array_namespace(slope), slope)
    return (size - target) * (size - target)


def _torch_excess(loss: Callable[[Any], Any], x: Any, target: float) -> Any:
    import torch

    x = x if x.requires_grad else x.detach().clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(loss(x).sum(), x, create_graph=True)
    return (torch.sqrt((slope * slope).sum()) - target) ** 2


def _norm(xp: Any, rows: Any) -> Any:
    return xp.sqrt(xp.clip(xp.sum(rows * rows, axis=-1), _SMALLEST_NORM**2, float("inf")))


def _length(xp: Any, x: Any) -> Any:
    return xp.sqrt(xp.sum(x * x))


def _identity(xp: Any, gram: Any) -> Any:
    return xp.eye(gram.shape[0], dtype=gram.dtype)
