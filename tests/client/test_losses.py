"""Custom losses and regularizers: values, gradients against finite differences, failures."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tinker_mock.client import ApiTimeoutError, ManualClock, TinkerError, ValidationError, losses
from tinker_mock.client.losses.arrays import array_namespace
from tinker_mock.client.losses.gradient import value_and_gradients
from tinker_mock.client.losses.pipeline import (
    RegularizerFailedError,
    compute_loss,
    run_regularizers,
    total_loss,
)
from tinker_mock.client.losses.regularizers import library
from tinker_mock.client.losses.regularizers.divergences import log_softmax
from tinker_mock.client.losses.specification import RegularizerSpec

pytestmark = pytest.mark.anyio
Array = NDArray[np.float64]
RNG = np.random.default_rng(4)
LOGITS = RNG.normal(size=(3, 5))
REFERENCE = np.log(RNG.dirichlet(np.ones(5), size=3))

CASES: dict[str, Callable[[Any], Any]] = {
    "l1": lambda x: library.l1_sparsity([], x, weight=0.3)[0],
    "l1 of probabilities": lambda x: library.l1_sparsity([], x, target="probs")[0],
    "l2 centred": lambda x: library.l2_weight_decay([], x, center="mean", weight=2.0)[0],
    "l2 clipped": lambda x: library.l2_weight_decay([], x, clip=1.5)[0],
    "elastic net": lambda x: library.elastic_net([], x, l1_ratio=0.3, reduction="mean")[0],
    "entropy": lambda x: library.entropy([], log_softmax(x))[0],
    "entropy, warmer": lambda x: library.entropy([], x, mode="maximize", temperature=2.0)[0],
    "kl": lambda x: library.kl_divergence([], log_softmax(x), reference_logprobs=REFERENCE)[0],
    "kl reversed": lambda x: library.kl_divergence(
        [], log_softmax(x), reference_logprobs=REFERENCE, direction="reverse"
    )[0],
    "kl symmetric": lambda x: library.kl_divergence(
        [], log_softmax(x), reference_logprobs=REFERENCE, symmetric=True
    )[0],
    "consistency": lambda x: library.consistency([{"original_logprobs": REFERENCE}], x)[0],
    "consistency cosine": lambda x: library.consistency(
        [{"original_logprobs": REFERENCE}], x, metric="cosine"
    )[0],
    "consistency kl": lambda x: library.consistency(
        [{"original_logprobs": REFERENCE}], log_softmax(x), metric="kl"
    )[0],
    "orthogonality": lambda x: library.orthogonality([], x)[0],
    "orthogonality hard": lambda x: library.orthogonality([], x, mode="hard", normalize=False)[0],
    "orthogonality spectral": lambda x: library.orthogonality([], x, mode="spectral")[0],
    "gradient penalty": lambda x: library.gradient_penalty([], x, loss=lambda y: (y * y * y).sum())[
        0
    ],
    "gradient penalty between": lambda x: library.gradient_penalty(
        [], x, loss=lambda y: (y * y).sum(), reference=REFERENCE, epsilon=0.25
    )[0],
}


def finite_differences(function: Callable[[Any], Any], x: Array, step: float = 1e-6) -> Array:
    found = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[index] += step
        behind[index] -= step
        found[index] = (float(function(ahead)) - float(function(behind))) / (2 * step)
    return found


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    function = CASES[name]
    value, (found,) = value_and_gradients(function, [LOGITS])
    assert float(value) == pytest.approx(float(function(LOGITS)))
    np.testing.assert_allclose(found, finite_differences(function, LOGITS), rtol=2e-5, atol=2e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4))
def test_broadcasting_indexing_and_division_are_differentiated(seed: int, n: int, m: int) -> None:
    x = np.random.default_rng(seed).uniform(0.5, 2.0, size=(n, m))

    def function(a: Any) -> Any:
        xp = array_namespace(a)
        rows = a / xp.sum(a, axis=0)
        return xp.sum(xp.log(rows + 1.0) * a[0]) - xp.mean(a) ** 3 + (a.T @ a).sum() / 7.0

    _, (found,) = value_and_gradients(function, [x])
    np.testing.assert_allclose(found, finite_differences(function, x), rtol=1e-4, atol=1e-5)


def test_a_loss_may_read_numbers_join_arrays_and_end_where_a_range_ends() -> None:
    def function(*parts: Any) -> Any:
        xp = array_namespace(parts[0])
        clipped = xp.clip(xp.concat(list(parts)), 1.0, 2.0)
        return clipped.sum() * float(parts[1].mean())

    value, slopes = value_and_gradients(function, [np.array([0.5, 1.0]), np.array([2.0, 4.0])])
    assert float(value) == 18.0
    np.testing.assert_array_equal(slopes, [[0.0, 3.0], [3.0, 0.0]])


@pytest.mark.parametrize("constant", [3, 0.5, np.arange(2)])
def test_a_constant_has_no_slope(constant: Any) -> None:
    value, (slope,) = value_and_gradients(lambda _: constant, [LOGITS])
    np.testing.assert_array_equal(value, constant)
    np.testing.assert_array_equal(slope, np.zeros_like(LOGITS))


def test_a_missing_autograd_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "autograd", None)
    monkeypatch.delitem(sys.modules, "tinker_mock.client.losses.traced", raising=False)
    monkeypatch.delattr(losses, "traced", raising=False)
    assert float(library.l1_sparsity([], LOGITS)[0]) > 0
    with pytest.raises(ValidationError, match=r"pip install 'tinker-mock\[conformance\]'"):
        value_and_gradients(lambda x: x.sum(), [LOGITS])


async def test_torch_and_numpy_give_the_same_gradients() -> None:
    torch = pytest.importorskip("torch", reason="torch is optional: only its own backend needs it")
    for name in ("l1", "l2 clipped", "entropy, warmer", "orthogonality", "gradient penalty"):
        _, (ours,) = value_and_gradients(CASES[name], [LOGITS])
        _, (theirs,) = value_and_gradients(CASES[name], [torch.from_numpy(LOGITS)])
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9, atol=1e-12)


async def test_a_pipeline_adds_up_and_tracks_gradient_norms() -> None:
    specs = [
        RegularizerSpec(library.l1_sparsity, 0.1, "l1"),
        RegularizerSpec(library.entropy, 0.5, "entropy"),
    ]

    def base(_data: Any, x: Any) -> Any:
        return -x.mean(), {"perplexity": 2.0}

    logprobs = log_softmax(LOGITS)
    output = await compute_loss(base, [], logprobs, specs, track_grad_norms=True)
    total = total_loss(base, [], specs)
    assert output.loss_total == pytest.approx(float(total(logprobs)))
    norm = np.linalg.norm(finite_differences(total, logprobs))
    assert output.total_grad_norm == pytest.approx(norm, rel=1e-5)
    body = output.to_json()
    assert list(body["regularizers"]) == ["l1", "entropy"]
    assert body["regularizers"]["l1"]["grad_norm"] == pytest.approx(np.sqrt(15))
    assert body["regularizers"]["l1"]["grad_norm_weighted"] == pytest.approx(np.sqrt(15) / 10)
    assert output.metrics()["regularizer/l1"] == pytest.approx(0.1 * np.abs(logprobs).sum())


async def test_failures_name_the_regularizer_and_slow_ones_are_cut_off() -> None:
    def broken(_data: Any, _logprobs: Any) -> Any:
        raise ZeroDivisionError("oops")

    async def slow(_data: Any, _logprobs: Any) -> Any:
        await asyncio.Event().wait()

    with pytest.raises(RegularizerFailedError, match="mine failed: oops"):
        await run_regularizers([RegularizerSpec(broken, 1.0, "mine")], [], np.zeros(1))
    spec = RegularizerSpec(slow, 1.0, "slow", run_async=True)
    clock = ManualClock(autojump=True)
    with pytest.raises(ApiTimeoutError, match="did not finish within 5 s"):
        await run_regularizers([spec], [], np.zeros(1), timeout=5.0, clock=clock)
    twice = [RegularizerSpec(library.entropy, 1.0, "same")] * 2
    with pytest.raises(ValidationError, match="twice: same"):
        await run_regularizers(twice, [], np.zeros((1, 2)))


async def test_asynchronous_regularizers_run_side_by_side() -> None:
    meeting = asyncio.Barrier(2)

    async def meets(_data: Any, _logprobs: Any) -> Any:
        await meeting.wait()
        return 1.0, {}

    specs = [RegularizerSpec(meets, 1.0, name, run_async=True) for name in ("a", "b")]
    found = await run_regularizers(specs, [], np.zeros(1), timeout=None)
    assert [one.value for one in found] == [1.0, 1.0]


def test_references_and_fields_that_are_missing_are_named() -> None:
    with pytest.raises(TinkerError, match="needs reference_logprobs"):
        library.kl_divergence([], LOGITS)
    with pytest.raises(TinkerError, match="no tensor 'original_logprobs'"):
        library.consistency([{}], LOGITS)
    with pytest.raises(TinkerError, match="shapes differ"):
        library.kl_divergence([], LOGITS, reference_logprobs=REFERENCE[:2])
