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
from tinker_mock.client.losses.threads import in_thread
from tinker_mock.client.watch.events import EventHub

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
    events: EventHub | None = None,
) -> list[RegularizerOutput]:
    """Compute all penalties, in the order of their specs.

    Each runs in a thread of its own, or in the event loop if it is asynchronous; side by side if
    `parallel`. Raises `RegularizerFailedError`, or `ApiTimeoutError` after `timeout` seconds.
    """
    check_names(specs)
    hub = events or EventHub()

    async def one(spec: RegularizerSpec) -> RegularizerOutput:
        with hub.span("regularizer", name=spec.name, weight=spec.weight) as told:
            output = await _penalty(spec, data, logprobs, track_grad_norms)
            told["value"] = output.value
            return output

    async def all_of_them() -> list[RegularizerOutput]:
        if parallel:
            return list(await asyncio.gather(*map(one, specs)))
        return [await one(spec) for spec in specs]

    try:
        return await within(clock or RealClock(), all_of_them(), timeout)
    except ApiTimeoutError:
        raise
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
    value, metrics = split_result(await in_thread(base, data, logprobs))
    parts = await run_regularizers(
        regularizers, data, logprobs, track_grad_norms=track_grad_norms, **options
    )
    base_norm = total_norm = None
    if track_grad_norms:
        alone = total_loss(base, data, ())
        base_norm = await in_thread(_norm_or_none, alone, logprobs)
        whole = total_loss(base, data, regularizers)
        total_norm = await in_thread(_norm_or_none, whole, logprobs)
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
        if spec.run_async:
            result = await spec.fn(data, logprobs)
        else:
            result = await in_thread(spec.fn, data, logprobs)
        value, metrics = split_result(result)
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
            alone = total_loss(spec.fn, data, ())
            found = await in_thread(_norm_or_none, alone, logprobs)
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


def check_names(specs: Sequence[RegularizerSpec]) -> None:
    """Raise `ValidationError` for two regularizers of one name."""
    names = [spec.name for spec in specs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise invalid(f"regularizer names must be unique, twice: {', '.join(twice)}")
