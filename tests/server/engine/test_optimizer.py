"""AdamW against a reference in a dozen lines; clipping; refused families."""

import math
from typing import Any

import numpy as np
import pytest

from tests.server.engine.conftest import policy_data
from tinker_mock.server.engine import BaseModel, EngineError, Trainer
from tinker_mock.server.engine.model.adapter import MAX_SHIFT, SCALE
from tinker_mock.server.engine.training.gradient import gradient


def pending_gradient(trainer: Trainer) -> list[np.ndarray]:
    weights, _ = trainer.parameters.admit(trainer.pending.keys(trainer.parameters))
    return gradient(weights, trainer.pending)


def test_matches_the_textbook(small: BaseModel) -> None:
    """Three steps on one batch: every parameter follows AdamW as published."""
    trainer = Trainer(small)
    data = policy_data(1, weighted=True)
    lr, b1, b2, eps, decay = 3e-3, 0.8, 0.9, 1e-8, 0.1
    params = {
        "learning_rate": lr, "beta1": b1, "beta2": b2, "eps": eps, "weight_decay": decay
    }  # fmt: skip
    first, second, value = 0.0, 0.0, 0.0
    for step in (1, 2, 3):
        trainer.forward_backward(data)
        slope = np.concatenate(pending_gradient(trainer))
        trainer.optim_step(params)
        first = b1 * first + (1 - b1) * slope
        second = b2 * second + (1 - b2) * slope**2
        update = (first / (1 - b1**step)) / (np.sqrt(second / (1 - b2**step)) + eps)
        value = value - lr * (update + decay * value)
    found = np.concatenate(trainer.parameters.values)
    trained = np.concatenate(trainer.parameters.trained)
    np.testing.assert_allclose(found[trained], value[trained], atol=1e-8)
    assert not found[~trained].any()


def test_a_step_without_data_still_coasts(small: BaseModel) -> None:
    trainer = Trainer(small)
    trainer.forward_backward(policy_data(1, weighted=True))
    trainer.optim_step({"learning_rate": 1e-3})
    before = trainer.parameters.values[1].copy()
    assert trainer.optim_step({"learning_rate": 1e-3})["unclipped_grad_l2:mean"] == 0.0
    assert not np.array_equal(trainer.parameters.values[1], before)


def test_gradient_norm_and_clipping(small: BaseModel) -> None:
    free, clipped = Trainer(small), Trainer(small)
    for trainer in (free, clipped):
        trainer.forward_backward(policy_data(1, weighted=True))
    norm = math.sqrt(sum(float(g @ g) for g in pending_gradient(free)))
    assert free.optim_step({})["unclipped_grad_l2:mean"] == pytest.approx(norm)
    assert clipped.optim_step({"grad_clip_norm": norm / 4})[
        "unclipped_grad_l2:mean"
    ] == pytest.approx(norm)
    for whole, quarter in zip(free.moments.first, clipped.moments.first, strict=True):
        np.testing.assert_allclose(quarter, whole / 4, atol=1e-12)


def test_values_stay_bounded(small: BaseModel) -> None:
    trainer = Trainer(small)
    for _ in range(5):
        trainer.forward_backward(policy_data(1, weighted=True))
        trainer.optim_step({"learning_rate": 1e3})
    for scale, values in zip(SCALE, trainer.parameters.values, strict=True):
        assert np.abs(values).max() <= MAX_SHIFT / scale * (1 + 1e-6)
    result = trainer.forward(policy_data(1, weighted=True))
    assert all(np.isfinite(o["logprobs"]).all() for o in result.outputs)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"learning_rate": -1.0}, "adam_params.learning_rate"),
        ({"learning_rate": math.inf}, "adam_params.learning_rate"),
        ({"beta1": 1.0}, "adam_params.beta1"),
        ({"eps": "small"}, "adam_params.eps"),
        ({"type": "dimuon", "learning_rate": 1e-3}, "optimizer_params.type"),
    ],
)
def test_mistakes_are_named(small: BaseModel, params: dict[str, Any], field: str) -> None:
    with pytest.raises(EngineError) as caught:
        Trainer(small).optim_step(params)
    assert caught.value.field == field


@pytest.mark.parametrize("kind", ["dimuon", "lion"])
def test_other_optimizers_are_refused(small: BaseModel, kind: str) -> None:
    with pytest.raises(EngineError, match=f"optimizer {kind!r}"):
        Trainer(small, optimizer={"type": kind})
