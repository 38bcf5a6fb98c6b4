"""The regularizers by name. Each is called with the data and their log-probabilities.

`logprobs` is an array or a list of arrays (one per datum); a list is joined. `target` says what is
penalised: the log-probabilities, the probabilities, or a tensor of the data (`("field", name)`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from tinker_mock.client.errors import invalid
from tinker_mock.client.losses.arrays import array_namespace, as_array, joined, matching, plain
from tinker_mock.client.losses.regularizers import constraints, divergences, penalties
from tinker_mock.client.losses.regularizers.penalties import Reduction

Target = Literal["logprobs", "probs"] | tuple[str, str]
Result = tuple[Any, dict[str, Any]]


def l1_sparsity(
    data: Sequence[Any],
    logprobs: Any,
    *,
    weight: float = 1.0,
    reduction: Reduction = "sum",
    target: Target = "logprobs",
) -> Result:
    x = _target(data, logprobs, target)
    raw = penalties.l1(x)
    metrics = {"l1_raw": _number(raw), "l1_mean": _number(penalties.l1(x, reduction="mean"))}
    return penalties.l1(x, weight=weight, reduction=reduction), metrics


def l2_weight_decay(
    data: Sequence[Any],
    logprobs: Any,
    *,
    weight: float = 1.0,
    reduction: Reduction = "sum",
    clip: float | None = None,
    center: float | Literal["mean"] | None = None,
    target: Target = "logprobs",
) -> Result:
    x = _target(data, logprobs, target)
    value = penalties.l2(x, weight=weight, reduction=reduction, clip=clip, center=center)
    metrics: dict[str, Any] = {
        "l2_raw": _number(penalties.l2(x, clip=clip, center=center)),
        "l2_mean": _number(penalties.l2(x, reduction="mean")),
    }
    return value, metrics | ({} if center is None else {"center": center})


def elastic_net(
    data: Sequence[Any],
    logprobs: Any,
    *,
    weight: float = 1.0,
    l1_ratio: float = 0.5,
    reduction: Reduction = "sum",
    target: Target = "logprobs",
) -> Result:
    x = _target(data, logprobs, target)
    value = penalties.elastic_net(x, weight=weight, l1_ratio=l1_ratio, reduction=reduction)
    return value, {"l1_ratio": l1_ratio}


def entropy(
    _data: Sequence[Any],
    logprobs: Any,
    *,
    mode: Literal["minimize", "maximize"] = "minimize",
    reduction: Reduction = "mean",
    temperature: float = 1.0,
    normalize: bool = False,
) -> Result:
    """Added to a loss, `minimize` makes the model surer, `maximize` less sure."""
    value = divergences.entropy_of_logprobs(
        joined(logprobs), temperature=temperature, normalize=normalize, reduction=reduction
    )
    return (value if mode == "minimize" else -value), {"entropy": _number(value), "mode": mode}


def kl_divergence(
    data: Sequence[Any],
    logprobs: Any,
    *,
    reference_logprobs: Any = None,
    reference_field: str | None = None,
    compute_reference: Callable[[Sequence[Any]], Any] | None = None,
    direction: Literal["forward", "reverse"] = "forward",
    symmetric: bool = False,
    reduction: Reduction = "mean",
) -> Result:
    """KL from the model to a reference: given, a field of the data, or computed from them."""
    p = joined(logprobs)
    reference = _reference(data, reference_logprobs, reference_field, compute_reference)
    q = matching(reference, p)
    if symmetric:
        rows = (divergences.kl(p, q) + divergences.kl(q, p)) / 2
    elif direction == "reverse":
        rows = divergences.kl(q, p)
    else:
        rows = divergences.kl(p, q)
    value = penalties.reduce(rows, reduction)
    return value, {
        "kl_divergence": _number(value),
        "kl_direction": direction,
        "kl_symmetric": symmetric,
        "kl_max": _number(plain(rows).max()),
        "kl_min": _number(plain(rows).min()),
    }


def consistency(
    data: Sequence[Any],
    logprobs: Any,
    *,
    metric: constraints.Metric = "mse",
    reduction: Reduction = "mean",
    pair_field: str = "original_logprobs",
) -> Result:
    """Keep the log-probabilities near those stored in a field of the data."""
    other = _field(data, pair_field)
    value = constraints.disagreement(joined(logprobs), other, metric=metric, reduction=reduction)
    return value, {"consistency_metric": metric}


def orthogonality(
    data: Sequence[Any],
    logprobs: Any,
    *,
    weight: float = 1.0,
    mode: constraints.Mode = "soft",
    normalize: bool = True,
    axis: str = "rows",
    target: Target = "logprobs",
) -> Result:
    x = _target(data, logprobs, target)
    value = constraints.dependence(x, mode=mode, normalize=normalize, axis=axis)
    return value * weight, {"orthogonality_mode": mode}


def gradient_penalty(
    _data: Sequence[Any],
    logprobs: Any,
    *,
    loss: Callable[[Any], Any],
    target: float = 1.0,
    reference: Any = None,
    epsilon: float = 0.5,
) -> Result:
    """(‖∇loss‖ - target)² at the log-probabilities, or on the way from them to a reference."""
    x = joined(logprobs)
    mode = "output"
    if reference is not None:
        x, mode = x * epsilon + matching(reference, x) * (1 - epsilon), "interpolated"
    return constraints.gradient_excess(loss, x, target=target), {"gradient_penalty_mode": mode}


def _target(data: Sequence[Any], logprobs: Any, target: Target) -> Any:
    if isinstance(target, tuple):
        return _field(data, target[1])
    x = joined(logprobs)
    if target == "logprobs":
        return x
    if target == "probs":
        return array_namespace(x).exp(x)
    raise invalid(f"target must be logprobs, probs or ('field', name), got {target!r}")


def _reference(
    data: Sequence[Any],
    given: Any,
    field: str | None,
    compute: Callable[[Sequence[Any]], Any] | None,
) -> Any:
    if given is not None:
        return joined(given)
    if field is not None:
        return _field(data, field)
    if compute is not None:
        return compute(data)
    raise invalid("kl_divergence needs reference_logprobs, reference_field or compute_reference")


def _field(data: Sequence[Any], name: str) -> Any:
    """A tensor of every datum, joined; data are `Datum`s or plain mappings."""
    found = []
    for datum in data:
        inputs: Mapping[str, Any] = datum if isinstance(datum, Mapping) else datum.loss_fn_inputs
        if name not in inputs:
            raise invalid(f"the data have no tensor {name!r}")
        value = inputs[name]
        found.append(value.to_numpy() if hasattr(value, "to_numpy") else as_array(value))
    return joined([np.asarray(one, dtype=np.float64) for one in found])


def _number(value: Any) -> float:
    return float(value.detach() if hasattr(value, "detach") else value)
