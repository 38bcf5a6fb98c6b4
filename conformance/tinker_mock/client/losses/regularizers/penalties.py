"""L1, L2 and their mixture, of any array."""

from typing import Any, Literal

from tinker_mock.client.errors import invalid
from tinker_mock.client.losses.arrays import array_namespace, as_array

Reduction = Literal["sum", "mean", "none"]


def reduce(values: Any, reduction: Reduction) -> Any:
    """Sum, mean, or nothing."""
    if reduction == "none":
        return values
    xp = array_namespace(values)
    if reduction == "sum":
        return xp.sum(values)
    if reduction == "mean":
        return xp.mean(values)
    raise invalid(f"reduction must be sum, mean or none, got {reduction!r}")


def l1(x: Any, *, weight: float = 1.0, reduction: Reduction = "sum") -> Any:
    """weight · red |x|."""
    x = as_array(x)
    return reduce(array_namespace(x).abs(x), reduction) * weight


def l2(
    x: Any,
    *,
    weight: float = 1.0,
    reduction: Reduction = "sum",
    clip: float | None = None,
    center: float | Literal["mean"] | None = None,
) -> Any:
    """weight · red x², of x moved by `center` and then cut to ±`clip`."""
    x = as_array(x)
    xp = array_namespace(x)
    if center is not None:
        x = x - (xp.mean(x) if center == "mean" else float(center))
    if clip is not None:
        x = xp.clip(x, -clip, clip)
    return reduce(x * x, reduction) * weight


def elastic_net(
    x: Any, *, weight: float = 1.0, l1_ratio: float = 0.5, reduction: Reduction = "sum"
) -> Any:
    """weight · (ratio · L1 + (1 - ratio) · L2)."""
    if not 0 <= l1_ratio <= 1:
        raise invalid(f"l1_ratio must be between 0 and 1, got {l1_ratio!r}")
    mixture = l1(x, reduction=reduction) * l1_ratio + l2(x, reduction=reduction) * (1 - l1_ratio)
    return mixture * weight
