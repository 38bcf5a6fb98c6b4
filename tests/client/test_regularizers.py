"""Penalties, divergences, constraints and regularizers: values worked out by hand."""

from collections.abc import Callable
from math import log, sqrt
from typing import Any

import numpy as np
import pytest

from tinker_mock.client.losses.arrays import array_namespace
from tinker_mock.client.losses.gradient import gradient_norm, value_and_gradients
from tinker_mock.client.losses.regularizers import constraints, divergences, library, penalties

Loss = Callable[[Any], Any]


def near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(
    ("x", "options", "value"),
    [
        ([1.0, -2.0, 3.0], {}, 6.0),
        ([0.0, 0.0, 1.0], {}, 1.0),
        ([1.0, -1.0], {"weight": 0.5}, 1.0),
        ([[1.0, -2.0], [-3.0, 4.0]], {"weight": 0.1}, 1.0),
        ([1.0, -3.0], {"reduction": "mean"}, 2.0),
    ],
)
def test_l1(x: Any, options: dict[str, Any], value: float) -> None:
    assert float(penalties.l1(np.asarray(x), **options)) == near(value)


@pytest.mark.parametrize(
    ("x", "options", "value"),
    [
        ([1.0, 2.0, 3.0], {"weight": 0.1}, 1.4),
        ([-2.0, -3.0], {"weight": 0.1}, 1.3),
        ([1.0, 2.0], {"reduction": "mean"}, 2.5),
        ([1000.0, 2000.0], {"weight": 0.01, "clip": 100.0}, 200.0),
        ([1.0, 2.0, 3.0], {"center": -1.0}, 29.0),
        ([1.0, 2.0, 3.0], {"center": "mean", "reduction": "mean"}, 2 / 3),
        ([10.0, 20.0, 30.0, 40.0, 50.0], {"center": "mean"}, 1000.0),
        ([[1.0, 2.0], [3.0, 4.0]], {"center": "mean"}, 5.0),
        ([100.0, 200.0, 300.0], {"center": 200.0, "clip": 50.0, "reduction": "mean"}, 5000 / 3),
    ],
)
def test_l2(x: Any, options: dict[str, Any], value: float) -> None:
    assert float(penalties.l2(np.asarray(x), **options)) == near(value)


@pytest.mark.parametrize(
    ("x", "options", "value"),
    [
        ([1.0, -2.0, 3.0], {"weight": 0.1, "l1_ratio": 0.5}, 1.0),
        ([1.0, 2.0], {"l1_ratio": 0.5}, 4.0),
        ([1.0, -2.0], {"l1_ratio": 1.0}, 3.0),
        ([1.0, 2.0, 3.0], {"l1_ratio": 0.5, "reduction": "mean"}, 10 / 3),
    ],
)
def test_elastic_net(x: Any, options: dict[str, Any], value: float) -> None:
    assert float(penalties.elastic_net(np.asarray(x), **options)) == near(value)


@pytest.mark.parametrize(
    ("penalty", "x", "slope"),
    [
        (penalties.l1, [2.0, -3.0, 0.5], [1.0, -1.0, 1.0]),
        (lambda x: penalties.l2(x, weight=0.5), [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
    ],
)
def test_slopes_of_penalties(penalty: Loss, x: list[float], slope: list[float]) -> None:
    _, (found,) = value_and_gradients(penalty, [np.asarray(x)])
    assert found.tolist() == near(slope)


@pytest.mark.parametrize(
    ("probabilities", "options", "value"),
    [
        ([0.25] * 4, {}, log(4)),
        ([0.125] * 8, {}, log(8)),
        ([1.0], {}, 0.0),
        ([0.1] * 10, {"normalize": True}, 1.0),
    ],
)
def test_entropy(probabilities: list[float], options: dict[str, Any], value: float) -> None:
    found = divergences.entropy_of_logprobs(np.log(probabilities), **options)
    assert float(found) == near(value)


def test_a_distribution_does_not_diverge_from_itself() -> None:
    logprobs = np.log(np.random.default_rng(0).dirichlet(np.ones(7), size=3))
    assert np.abs(divergences.kl(logprobs, logprobs)).max() == near(0.0)


@pytest.mark.parametrize(
    ("x", "options", "value"),
    [
        (np.eye(4), {"mode": "soft"}, 0.0),
        ([[1.0, 0.0, 0.0, 0.0]] * 4, {"mode": "soft"}, 12.0),
        ([[1.0, 2.0, 3.0]], {"mode": "soft"}, 0.0),
        ([[2.0, 0.0], [0.0, 1.0]], {"mode": "hard", "normalize": False}, 9.0),
        (np.eye(4), {"mode": "spectral"}, 0.0),
        ([[2.0, 0.0], [0.0, 2.0]], {"mode": "spectral", "normalize": False}, 36.0),
    ],
)
def test_rows_that_should_be_orthogonal(x: Any, options: dict[str, Any], value: float) -> None:
    assert float(constraints.dependence(np.asarray(x), **options)) == near(value)


@pytest.mark.parametrize(
    ("a", "b", "options", "value"),
    [
        ([1.0, 2.0], [2.0, 4.0], {"metric": "mse"}, 2.5),
        ([1.0, 2.0], [2.0, 4.0], {"metric": "mse", "reduction": "sum"}, 5.0),
        ([1.0, 2.0], [2.0, 4.0], {"metric": "mse", "reduction": "none"}, [1.0, 4.0]),
        ([1.0, 2.0], [2.0, 4.0], {"metric": "l1"}, 1.5),
        ([1.0, 0.0], [0.0, 1.0], {"metric": "cosine"}, 1.0),
        ([1.0, 2.0], [2.0, 4.0], {"metric": "cosine"}, 0.0),
        (1.0, 2.0, {"metric": "mse"}, 1.0),
    ],
)
def test_values_that_should_agree(a: Any, b: Any, options: dict[str, Any], value: Any) -> None:
    found = constraints.disagreement(np.asarray(a), np.asarray(b), **options)
    assert found.tolist() == near(value)


def total(x: Any) -> Any:
    return x.sum()


def squares(x: Any) -> Any:
    return (x * x).sum()


@pytest.mark.parametrize(
    ("loss", "x", "target"),
    [(total, [1.0, 2.0, 3.0], sqrt(3)), (squares, [1.0, 2.0], sqrt(20))],
)
def test_a_gradient_of_the_wanted_norm_costs_nothing(
    loss: Loss, x: list[float], target: float
) -> None:
    assert float(constraints.gradient_excess(loss, np.asarray(x), target=target)) == near(0.0)


@pytest.mark.parametrize(
    ("loss", "x", "norm"),
    [
        pytest.param(total, [1.0, 2.0, 3.0], sqrt(3), id="sum"),
        pytest.param(total, [[1.0, 2.0], [3.0, 4.0]], 2.0, id="sum of a matrix"),
        pytest.param(squares, [1.0, 2.0, 3.0], sqrt(56), id="squares"),
        pytest.param(lambda x: x.mean(), [1.0, 2.0, 3.0, 4.0], 0.5, id="mean"),
        pytest.param(lambda x: x * 2, 5.0, 2.0, id="twice a number"),
        pytest.param(
            lambda x: array_namespace(x).abs(x).sum(), [1.0, -2.0, 3.0], sqrt(3), id="absolute"
        ),
        pytest.param(
            lambda x: x.mean() + x.sum() + x.sum(), [1.0, 2.0, 3.0], 7 / sqrt(3), id="three terms"
        ),
        pytest.param(
            lambda x: x.sum() + squares(x) * 0.5, [1.0, 2.0, 3.0], sqrt(29), id="two terms"
        ),
    ],
)
def test_norms_of_gradients(loss: Loss, x: Any, norm: float) -> None:
    assert gradient_norm(loss, np.asarray(x)) == near(norm)


UNIFORM, SKEWED = [[0.25] * 4], [[0.6, 0.3, 0.1]]
THREE, HALVES = [[0.4, 0.3, 0.3]], [[0.5, 0.5]]
REFERENCE = np.log([[0.25, 0.25, 0.5]])
OTHER = np.log([[0.4, 0.6]])


@pytest.mark.parametrize(
    ("regularizer", "probabilities", "options", "value", "metrics"),
    [
        pytest.param(
            library.l1_sparsity,
            [[0.5, 0.25, 0.25]],
            {"target": "logprobs", "reduction": "sum"},
            5 * log(2),
            {"l1_raw": 5 * log(2), "l1_mean": 5 / 3 * log(2)},
            id="l1",
        ),
        pytest.param(
            library.l2_weight_decay,
            THREE,
            {"center": "mean"},
            0.05517398320676789,
            {"l2_raw": 0.05517398320676789, "l2_mean": 1.246229910810464, "center": "mean"},
            id="l2",
        ),
        pytest.param(
            library.elastic_net,
            [[0.6, 0.4]],
            {"l1_ratio": 0.5},
            1.263823939427267,
            {"l1_ratio": 0.5},
            id="elastic net",
        ),
        pytest.param(
            library.kl_divergence,
            THREE,
            {"reference_logprobs": REFERENCE},
            0.08945023160668333,
            {
                "kl_divergence": 0.08945023160668333,
                "kl_direction": "forward",
                "kl_symmetric": False,
                "kl_max": 0.08945023160668333,
                "kl_min": 0.08945023160668333,
            },
            id="kl",
        ),
        pytest.param(
            library.kl_divergence,
            THREE,
            {"reference_logprobs": REFERENCE, "direction": "reverse"},
            0.09233151537307291,
            {},
            id="kl reversed",
        ),
        pytest.param(
            library.kl_divergence,
            THREE,
            {"reference_logprobs": REFERENCE, "symmetric": True},
            0.09089087348987812,
            {},
            id="kl symmetric",
        ),
        pytest.param(library.entropy, UNIFORM, {}, log(4), {}, id="entropy"),
        pytest.param(
            library.entropy, UNIFORM, {"mode": "minimize"}, log(4), {}, id="entropy minimized"
        ),
        pytest.param(
            library.entropy, UNIFORM, {"mode": "maximize"}, -log(4), {}, id="entropy maximized"
        ),
        pytest.param(
            library.entropy,
            SKEWED,
            {"mode": "maximize", "temperature": 1.0},
            -0.8979457248567798,
            {},
            id="entropy of a skewed row",
        ),
        pytest.param(
            library.entropy,
            SKEWED,
            {"mode": "maximize", "temperature": 2.0},
            -1.0379713237871082,
            {},
            id="entropy of a warmer row",
        ),
        pytest.param(
            library.orthogonality,
            [[0.5, 0.5], [0.4, 0.6]],
            {"mode": "soft"},
            1.8506158611313674,
            {},
            id="orthogonality",
        ),
        pytest.param(
            library.gradient_penalty,
            HALVES,
            {"loss": total, "target": 1.0},
            (sqrt(2) - 1) ** 2,
            {},
            id="gradient penalty",
        ),
        pytest.param(
            library.gradient_penalty,
            HALVES,
            {"loss": total, "target": 1.0, "reference": OTHER},
            (sqrt(2) - 1) ** 2,
            {},
            id="gradient penalty between two rows",
        ),
    ],
)
def test_regularizers(
    regularizer: Any, probabilities: Any, options: Any, value: float, metrics: dict[str, Any]
) -> None:
    found, told = regularizer([], np.log(probabilities), **options)
    assert float(found) == near(value)
    assert {name: told[name] for name in metrics} == {
        name: near(one) if isinstance(one, float) else one for name, one in metrics.items()
    }


def test_consistency_is_with_what_the_data_say() -> None:
    value, metrics = library.consistency([{"original_logprobs": OTHER}], np.log(HALVES))
    assert float(value) == near(0.041517097282444265)
    assert metrics["consistency_metric"] == "mse"
