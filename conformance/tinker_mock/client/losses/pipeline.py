"""A base loss and penalties, computed together."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from tinker_mock.client.clock import Clock, RealClock, within
from tinker_mock.client.errors import ApiTimeoutError, Category, TinkerError, invalid
from tinker_mock.client.losses.gradient import gradient_norm
from tinker_mock.client.losses.output import CustomLossOutput, RegularizerOutput
from tinker_mock.client.losses.specification import RegularizerSpec

logger = logging.getLogger(__name__)

BaseLoss = Callable[[Sequence[Any], Any], Any]
DEFAULT_TIMEOUT = 30.0


class RegularizerFailedError(TinkerError):
    """A penalty raised; `data` has its name."""


async def run_regularizers(
    specs: Sequence[RegularizerSpec],
    data: Sequence[Any],
    logprobs: Any,
    *,
    parallel: bool = True,
    timeout: float | None = DEFAULT_TIMEOUT,
    track_grad_norms: bool = False,
    clock: Clock | None = None,
) -> list[RegularizerOutput]:
    """Compute all penalties, in the order of their specs.

    Asynchronous ones run side by side if `parallel`. Raises `RegularizerFailedError`, or
    `ApiTimeoutError` after `timeout` seconds.
    """
    _check_names(specs)
    waits = [_penalty(spec, data, logprobs, track_grad_norms) for spec in specs]

    async def all_of_them() -> list[RegularizerOutput]:
        if parallel:
            return list(await asyncio.gather(*waits))
        return [await wait for wait in waits]

    try:
        return await within(clock or RealClock(), all_of_them(), timeout)
    except TimeoutError:
        raise ApiTimeoutError(
            f"the regularizers did not finish within {timeout:g} s", category=Category.USER
        ) from None


async def compute_loss(
    base: BaseLoss,
    data: Sequence[Any],
    logprobs: Any,
    regularizers: Sequence[RegularizerSpec] = (),
    *,
    track_grad_norms: bool = False,
    **options: Any,
) -> CustomLossOutput:
    """The base loss, `base(data, logprobs) -> loss or (loss, metrics)`, plus all penalties.

    With `track_grad_norms` also the L2 norms of each part's gradient, and of the total's. A norm
    that cannot be computed is 0 for a penalty and missing for the base.
    """
    value, metrics = split_result(base(data, logprobs))
    parts = await run_regularizers(
        regularizers, data, logprobs, track_grad_norms=track_grad_norms, **options
    )
    base_norm = total_norm = None
    if track_grad_norms:
        base_norm = _norm_or_none(lambda x: split_result(base(data, x))[0], logprobs)
        total_norm = _norm_or_none(total_loss(base, data, regularizers), logprobs)
    return CustomLossOutput(scalar(value), metrics, parts, base_norm, total_norm)


def total_loss(
    base: BaseLoss, data: Sequence[Any], regularizers: Sequence[RegularizerSpec]
) -> Callable[[Any], Any]:
    """The whole loss as a function of the log-probabilities, for differentiation.

    Asynchronous penalties cannot be traced and count as constants.
    """

    def total(logprobs: Any) -> Any:
        value = split_result(base(data, logprobs))[0]
        value = value.sum() if getattr(value, "shape", ()) else value
        for spec in regularizers:
            if not spec.run_async:
                value = value + split_result(spec.fn(data, logprobs))[0] * spec.weight
        return value

    return total


def split_result(result: Any) -> tuple[Any, dict[str, Any]]:
    """(value, metrics) from a function that may return either."""
    if isinstance(result, tuple):
        return result[0], dict(result[1] or {})
    return result, {}


def scalar(value: Any) -> float:
    """A number from a scalar, or the sum of an array."""
    return float(value.sum() if getattr(value, "shape", ()) else value)


async def _penalty(
    spec: RegularizerSpec, data: Sequence[Any], logprobs: Any, track: bool
) -> RegularizerOutput:
    try:
        result = spec.fn(data, logprobs)
        value, metrics = split_result(await result if spec.run_async else result)
    except Exception as error:
        raise RegularizerFailedError(
            f"regularizer {spec.name} failed: {error}",
            category=Category.USER,
            data={"regularizer": spec.name},
        ) from error
    norm = None
    if track:
        norm = 0.0
        if not spec.run_async:
            found = _norm_or_none(lambda x: split_result(spec.fn(data, x))[0], logprobs)
            norm = found if found is not None else 0.0
    return RegularizerOutput(spec.name, scalar(value), spec.weight, metrics, norm)


def _norm_or_none(function: Callable[[Any], Any], logprobs: Any) -> float | None:
    try:
        if isinstance(logprobs, (list, tuple)):
            return gradient_norm(lambda *parts: function(list(parts)), *logprobs)
        return gradient_norm(function, logprobs)
    except Exception as error:
        logger.warning("a gradient norm could not be computed: %s", error)
        return None


def _check_names(specs: Sequence[RegularizerSpec]) -> None:
    names = [spec.name for spec in specs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid(f"regularizer names must be unique, twice: {', '.join(twice)}")
