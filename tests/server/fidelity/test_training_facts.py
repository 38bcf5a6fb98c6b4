"""Losses by their documented formulas, computed anew from the log-probabilities that come back."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from tests.server.conftest import TOKENS, Api, datum, training_step, update

SIZE = len(TOKENS) - 1
OLD_GAPS = np.array([0.0, 2.3, -2.3, 0.4, -0.4, 0.1, 1.6])
"""log p - log q of each token, so that ratios lie on both sides of every threshold."""
ADVANTAGES = np.array([1.0, -0.5, 2.0, 0.0, -1.0, 0.7, 1.3])
MASK = np.array([0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
Formula = Callable[[Any, Any, Any, Mapping[str, float]], float]


def importance(p: Any, q: Any, a: Any, _: Mapping[str, float]) -> float:
    return -float((np.exp(p - q) * a).sum())


def ppo(p: Any, q: Any, a: Any, told: Mapping[str, float]) -> float:
    ratio = np.exp(p - q)
    low, high = told.get("clip_low_threshold", 0.8), told.get("clip_high_threshold", 1.2)
    return -float(np.minimum(ratio * a, np.clip(ratio, low, high) * a).sum())


def cispo(p: Any, q: Any, a: Any, told: Mapping[str, float]) -> float:
    low, high = told.get("clip_low_threshold", 0.0), told.get("clip_high_threshold", 4.0)
    return -float((np.clip(np.exp(p - q), low, high) * p * a).sum())


def dro(p: Any, q: Any, a: Any, told: Mapping[str, float]) -> float:
    return -float((p * a - told["beta"] / 2 * (p - q) ** 2).sum())


def gspo(p: Any, q: Any, a: Any, told: Mapping[str, float]) -> float:
    ratio = math.exp(float((p - q)[MASK != 0].mean()))
    clipped = min(max(ratio, told["clip_low_threshold"]), told["clip_high_threshold"])
    return -float(np.minimum(ratio * a, clipped * a).sum())


CASES: dict[str, tuple[str, dict[str, float], Formula]] = {
    "importance_sampling": ("importance_sampling", {}, importance),
    "ppo by default": ("ppo", {}, ppo),
    "ppo as documented": ("ppo", {"clip_low_threshold": 0.9, "clip_high_threshold": 1.1}, ppo),
    "cispo by default": ("cispo", {}, cispo),
    "cispo clipped": ("cispo", {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}, cispo),
    "dro as documented": ("dro", {"beta": 0.05}, dro),
    "gspo wide": ("gspo", {"clip_low_threshold": 0.01, "clip_high_threshold": 9.0}, gspo),
    "gspo clipped": ("gspo", {"clip_low_threshold": 0.9, "clip_high_threshold": 1.01}, gspo),
}


def passed(api: Api, model: str, number: int, example: Any, **more: Any) -> dict[str, Any]:
    given = {"data": [example], **more}
    body = {"model_id": model, "seq_id": number, "forward_backward_input": given}
    told: dict[str, Any] = api.done("forward_backward", body)
    return told


def logprobs(told: dict[str, Any]) -> np.ndarray:
    return np.array(told["loss_fn_outputs"][0]["logprobs"]["data"])


@pytest.mark.parametrize("case", CASES)
def test_a_policy_loss_is_the_documented_sum(api: Api, case: str) -> None:
    loss, config, formula = CASES[case]
    model = api.model()
    now = logprobs(passed(api, model, 1, datum(), loss_fn="cross_entropy"))
    before = (now - OLD_GAPS).astype(np.float32)
    inputs: dict[str, Any] = {
        "target_tokens": {"data": TOKENS[1:], "dtype": "int64"},
        "logprobs": {"data": before.tolist(), "dtype": "float32"},
        "advantages": {"data": ADVANTAGES.tolist(), "dtype": "float32"},
    }
    if loss == "gspo":
        inputs["sequence_ratio_mask"] = {"data": MASK.tolist(), "dtype": "float32"}
    settings = {"loss_fn": loss, "loss_fn_config": config}
    told = passed(api, model, 2, datum(**inputs), **settings)
    expected = formula(now, before, ADVANTAGES, config)
    assert told["metrics"]["loss:sum"] == pytest.approx(expected, rel=1e-4)
    assert logprobs(told).tolist() == now.tolist()


@pytest.mark.parametrize("columns", [1, 3])
def test_cross_entropy_is_the_weighted_sum_for_targets_of_one_and_two_dimensions(
    api: Api, columns: int
) -> None:
    shape = [SIZE] if columns == 1 else [SIZE, columns]
    targets = np.array([[token + j for j in range(columns)] for token in TOKENS[1:]]).ravel()
    weights = np.linspace(-1, 2, SIZE * columns).astype(np.float32)
    example = datum(
        target_tokens={"data": targets.tolist(), "dtype": "int64", "shape": shape},
        weights={"data": weights.tolist(), "dtype": "float32", "shape": shape},
    )
    told = passed(api, api.model(), 1, example, loss_fn="cross_entropy")
    assert told["loss_fn_outputs"][0]["logprobs"]["shape"] == shape
    expected = -float((logprobs(told) * weights).sum())
    assert told["metrics"]["loss:sum"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "importance_sampling", "cispo", "dro"])
def test_the_only_diagnostic_is_the_sum_beside_the_cycle(api: Api, loss: str) -> None:
    inputs = {
        "target_tokens": {"data": TOKENS[1:], "dtype": "int64"},
        "logprobs": {"data": [-1.0] * SIZE, "dtype": "float32"},
        "advantages": {"data": [1.0] * SIZE, "dtype": "float32"},
    }
    example = datum() if loss == "cross_entropy" else datum(**inputs)
    told = passed(api, api.model(), 1, example, loss_fn=loss)
    assert set(told["metrics"]) == {"loss:sum", "clock_cycle:unique"}


def test_an_advantage_of_zero_masks_a_position(api: Api) -> None:
    """What is masked may be as far off policy as it likes."""

    def loss(number: int, first: float) -> float:
        inputs = {
            "target_tokens": {"data": TOKENS[1:], "dtype": "int64"},
            "logprobs": {"data": [first, *[-9.0] * (SIZE - 1)], "dtype": "float32"},
            "advantages": {"data": [0.0, *[1.0] * (SIZE - 1)], "dtype": "float32"},
        }
        told = passed(api, model, number, datum(**inputs), loss_fn="importance_sampling")
        return float(told["metrics"]["loss:sum"])

    model = api.model()
    assert loss(1, -1.0) == loss(2, -20.0)


DEFAULTS = {"beta1": 0.9, "beta2": 0.95, "eps": 1e-12, "weight_decay": 0.0, "grad_clip_norm": 0.0}


def losses(api: Api, **params: float) -> list[float]:
    """Three steps on the same example."""
    model, found = api.model(lora_config={"rank": 8, "seed": 1}), []
    for step in range(3):
        told = api.done("forward_backward", training_step(model, 2 * step + 1))
        found.append(told["metrics"]["loss:sum"])
        body = update(model, 2 * step + 2)
        body["adam_params"] |= params
        api.done("optim_step", body)
    return found


def test_adams_defaults_are_the_documented_ones(api: Api) -> None:
    silent = losses(api)
    assert losses(api, **DEFAULTS) == silent
    for other in ({"beta1": 0.8}, {"beta2": 0.9}, {"eps": 1.0}, {"weight_decay": 0.5}):
        assert losses(api, **other) != silent, other


def test_weight_decay_is_decoupled(api: Api) -> None:
    """A clipped gradient leaves the decay as it is: with decay the loss falls less far."""
    assert losses(api, weight_decay=100.0)[2] > losses(api)[2]


DIMUON = {"type": "dimuon", "version": 1}
OVERRIDES = {"grad_clip_norm": 1e-3, "beta1": 0.2, "damping": 10.0,
             "rank_lr_correction_exponent": 2.0}  # fmt: skip


def test_omitted_settings_of_dimuon_are_defaults_again_at_each_step(api: Api) -> None:
    """What one step was told is forgotten by the next one."""

    def run(*steps: dict[str, float]) -> list[float]:
        config = {"rank": 8, "seed": 1}
        model, found = api.model(lora_config=config, optimizer_config=DIMUON), []
        for step, told in enumerate(steps):
            passed = api.done("forward_backward", training_step(model, 2 * step + 1))
            found.append(passed["metrics"]["loss:sum"])
            params = {"type": "dimuon", "learning_rate": 1e-5, **told}
            body = {"model_id": model, "seq_id": 2 * step + 2, "optimizer_params": params}
            api.done("optim_step", body)
        return found

    defaults = {"grad_clip_norm": 0.0, "beta1": 0.9}
    silent = run(OVERRIDES, {}, {})
    assert silent == run(OVERRIDES, defaults, defaults)
    assert silent != run(OVERRIDES, OVERRIDES, OVERRIDES)
