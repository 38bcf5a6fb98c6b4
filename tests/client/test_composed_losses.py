"""A loss and its regularizers: totals, what is reported of each, and what is refused."""

import asyncio
from typing import Any

import numpy as np
import pytest

from tinker_mock.client import ApiTimeoutError, ManualClock, ValidationError
from tinker_mock.client.losses.output import CustomLossOutput, RegularizerOutput
from tinker_mock.client.losses.pipeline import compute_loss, run_regularizers
from tinker_mock.client.losses.specification import RegularizerSpec


def constant(value: float, weight: float, name: str) -> RegularizerSpec:
    return RegularizerSpec(lambda _data, _logprobs: (value, {}), weight, name)


@pytest.mark.parametrize(
    ("value", "weight", "norm", "contribution", "weighted"),
    [(22.4, 0.01, 7.48, 0.224, 0.0748), (1.5, 0.001, None, 0.0015, None)],
)
def test_a_regularizer_contributes_by_its_weight(
    value: float, weight: float, norm: float | None, contribution: float, weighted: float | None
) -> None:
    output = RegularizerOutput("one", value, weight, {}, norm)
    assert output.contribution == pytest.approx(contribution)
    assert output.grad_norm == norm
    assert output.grad_norm_weighted == (None if weighted is None else pytest.approx(weighted))


def test_what_was_not_tracked_is_not_written() -> None:
    assert RegularizerOutput("l1", 10.0, 0.1, {"total": 20.0}).to_json() == {
        "name": "l1",
        "value": 10.0,
        "weight": 0.1,
        "contribution": 1.0,
        "custom": {"total": 20.0},
    }
    body = CustomLossOutput(2.5, {"perplexity": 12.18}, []).to_json()
    assert body == {
        "loss_total": 2.5,
        "regularizer_total": 0.0,
        "base_loss": {"value": 2.5, "custom": {"perplexity": 12.18}},
        "regularizers": {},
    }


def test_totals_add_up() -> None:
    parts = [RegularizerOutput("a", 22.4, 0.01), RegularizerOutput("b", 1.5, 0.1)]
    body = CustomLossOutput(2.5, {}, parts).to_json()
    assert body["loss_total"] == pytest.approx(2.874)
    assert body["regularizer_total"] == pytest.approx(0.374)


def two(_data: Any, _logprobs: Any) -> float:
    return 0.0


def one(_data: Any) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("fn", "options", "message"),
    [
        (one, {}, "must be a function of arity 2"),
        (two, {"weight": "0.1"}, "must be a non-negative number"),
        (two, {"name": ""}, "must be a non-empty string"),
        (two, {"name": None}, "must be a non-empty string"),
        (two, {"run_async": "true"}, "must be a boolean"),
    ],
)
def test_specifications_that_make_no_sense_are_refused(
    fn: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        RegularizerSpec(fn, **{"weight": 0.1, "name": "test", **options})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("base", "logprobs", "parts", "total", "contributions"),
    [
        (lambda x: -x.mean(), [-1.0, -2.0, -3.0], [], 2.0, []),
        (lambda _x: 1.0, [0.0], [(10.0, 0.1)], 2.0, [1.0]),
        (lambda _x: 1.0, [0.0], [(10.0, 0.1), (20.0, 0.5)], 12.0, [1.0, 10.0]),
    ],
)
async def test_a_loss_with_its_regularizers(
    base: Any, logprobs: Any, parts: Any, total: float, contributions: list[float]
) -> None:
    specs = [constant(value, weight, f"r{n}") for n, (value, weight) in enumerate(parts)]
    output = await compute_loss(lambda _data, x: base(x), [], np.asarray(logprobs), specs)
    assert output.loss_total == pytest.approx(total)
    assert output.regularizer_total == pytest.approx(sum(contributions))
    assert [one.contribution for one in output.regularizers] == pytest.approx(contributions)


@pytest.mark.anyio
async def test_the_norm_of_the_losss_own_gradient_can_be_tracked() -> None:
    logprobs = np.asarray([1.0, 2.0, 3.0])
    output = await compute_loss(lambda _d, x: x.sum(), [], logprobs, [], track_grad_norms=True)
    assert output.base_grad_norm == pytest.approx(np.sqrt(3))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("fn", "logprobs", "weight", "value", "contribution"),
    [
        (lambda x: x.sum(), [1.0, 2.0, 3.0], 0.1, 6.0, 0.6),
        (lambda x: x.mean(), [2.0, 4.0, 6.0], 0.5, 4.0, 2.0),
    ],
)
async def test_regularizers_see_the_logprobs(
    fn: Any, logprobs: list[float], weight: float, value: float, contribution: float
) -> None:
    spec = RegularizerSpec(lambda _data, x: (fn(x), {}), weight, "one")
    (output,) = await run_regularizers([spec], [], np.asarray(logprobs))
    assert (output.value, output.contribution) == pytest.approx((value, contribution))


@pytest.mark.anyio
async def test_a_regularizer_that_hangs_is_cut_off(clock: ManualClock) -> None:
    async def hangs(_data: Any, _logprobs: Any) -> Any:
        await asyncio.Event().wait()

    spec = RegularizerSpec(hangs, 1.0, "slow", run_async=True)
    with pytest.raises(ApiTimeoutError):
        await run_regularizers([spec], [], np.zeros(1), timeout=0.1, clock=clock)
    assert clock.monotonic() == pytest.approx(0.1)
