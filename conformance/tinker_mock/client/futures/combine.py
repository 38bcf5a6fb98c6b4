"""Results of chunks, put together as if there had been one request.

Outputs keep their order. A metric's name ends in its reduction, `loss:sum`; means weigh a chunk by
its number of outputs.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from tinker_mock.client.config.presets import Preset
from tinker_mock.client.errors import Category, ValidationError
from tinker_mock.client.types.results import ForwardBackwardOutput

logger = logging.getLogger(__name__)

_MASK_64 = 0xFFFF_FFFF_FFFF_FFFF
Reduction = Callable[[Sequence[float], Sequence[int], Preset], float]


def combine(results: Sequence[ForwardBackwardOutput], preset: Preset) -> ForwardBackwardOutput:
    """Outputs in chunk order, metrics reduced, the first chunk's output type."""
    kinds = {result.loss_fn_output_type for result in results}
    if len(kinds) > 1:
        logger.warning("chunks have mixed loss_fn_output_type: %s", ", ".join(sorted(kinds)))
    return ForwardBackwardOutput(
        results[0].loss_fn_output_type,
        [output for result in results for output in result.loss_fn_outputs],
        reduce_metrics(
            [(result.metrics, len(result.loss_fn_outputs)) for result in results], preset
        ),
    )


def reduce_metrics(
    chunks: Sequence[tuple[Mapping[str, float], int]], preset: Preset
) -> dict[str, float]:
    """Combine (metrics, number of outputs) of each chunk. The first chunk names the metrics.

    Raises `ValidationError` for a name without a reduction, or a mean over no outputs, where the
    preset's client fails too.
    """
    if not chunks:
        return {}
    combined: dict[str, float] = {}
    for name in chunks[0][0]:
        present = [(metrics[name], count) for metrics, count in chunks if name in metrics]
        values = [value for value, _ in present]
        weights = [count for _, count in present]
        if len(present) < len(chunks) and preset.metric_missing_somewhere == "drop":
            logger.debug("metric %s is missing in a chunk and was dropped", name)
            continue
        kind = _reduction_of(name, preset)
        if kind == "unique":
            combined.update(_unique(name, values, preset))
        elif kind in REDUCTIONS and kind not in _FOREIGN_HASH[preset.hash_reduction]:
            combined[name] = REDUCTIONS[kind](values, weights, preset)
        elif preset.unknown_reduction == "mean":
            combined[name] = mean(values, weights, preset)
        else:
            logger.debug("metric %s has an unknown reduction and was dropped", name)
    return combined


def mean(values: Sequence[float], weights: Sequence[int], preset: Preset) -> float:
    """Weighted by outputs."""
    total = sum(weights)
    if total == 0:
        if preset.no_outputs == "zero":
            return 0.0
        raise _bad("a mean over chunks without outputs is undefined")
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / total


def slack(values: Sequence[float], weights: Sequence[int], preset: Preset) -> float:
    """How far the largest value lies above the mean."""
    if sum(weights) == 0 and preset.no_outputs == "zero":
        return 0.0
    return max(values) - mean(values, weights, preset)


def hash2(values: Sequence[float], _weights: Sequence[int], _preset: Preset) -> float:
    """The sum of the values modulo 2^64, as unsigned integers."""
    return float(sum(int(value) & _MASK_64 for value in values) & _MASK_64)


def hash_unordered(values: Sequence[float], _weights: Sequence[int], _preset: Preset) -> float:
    """Equal for equal values in any order; exactly representable as a float."""
    ordered = ",".join(repr(float(value)) for value in sorted(values))
    return float(int.from_bytes(sha256(ordered.encode()).digest()[:6], "big"))


REDUCTIONS: dict[str, Reduction] = {
    "sum": lambda values, _weights, _preset: sum(values),
    "min": lambda values, _weights, _preset: min(values),
    "max": lambda values, _weights, _preset: max(values),
    "mean": mean,
    "slack": slack,
    "hash_unordered": hash_unordered,
    "hash2": hash2,
}

_FOREIGN_HASH = {"hash2": {"hash_unordered"}, "hash_unordered": {"hash2"}}


def _reduction_of(name: str, preset: Preset) -> str:
    if name.count(":") != 1 and preset.metric_without_suffix == "reject":
        raise _bad(f"metric {name!r} must be named 'name:reduction' with exactly one colon")
    return name.rpartition(":")[2]


def _unique(name: str, values: Sequence[float], preset: Preset) -> dict[str, float]:
    suffixes = range(preset.unique_first_suffix, preset.unique_first_suffix + len(values))
    return {name: values[0]} | {
        f"{name}_{suffix}": value for suffix, value in zip(suffixes, values[1:], strict=False)
    }


def _bad(message: str) -> ValidationError:
    return ValidationError(message, category=Category.SERVER)
