"""AdamW against a reference in a dozen lines; clipping; refused families."""

import math
from typing import Any

import numpy as np
import pytest

from tests.server.engine.conftest import policy_data
from tinker_mock.server.engine import BaseModel, Datum, EngineError, Trainer
from tinker_mock.server.engine.model.adapter import MAX_VALUE, RATE
from tinker_mock.server.engine.training.idle_steps import IdleSteps


def now(trainer: Trainer) -> np.ndarray:
    """Every parameter as it is now."""
    return trainer.values()


def rates(trainer: Trainer, entries: np.ndarray) -> np.ndarray:
    table = trainer.adapter.table
    return np.array(RATE)[table.order.values[table.context.values[entries]]]


class Textbook:
    """AdamW as published: every parameter is moved at every step."""

    def __init__(self) -> None:
        self.first = self.second = self.value = np.zeros(0)
        self.steps = 0

    def step(self, trainer: Trainer, params: dict[str, float]) -> None:
        found = trainer.gradient()
        size = trainer.adapter.values.size
        gradient = np.zeros(size)
        gradient[found.entries] = found.slopes
        self.first, self.second, self.value = (
            np.pad(a, (0, size - a.size)) for a in (self.first, self.second, self.value)
        )
        lr, b1, b2 = params["learning_rate"], params["beta1"], params["beta2"]
        self.steps += 1
        self.first = b1 * self.first + (1 - b1) * gradient
        self.second = b2 * self.second + (1 - b2) * gradient**2
        spread = np.sqrt(self.second / (1 - b2**self.steps)) + params["eps"]
        update = self.first / (1 - b1**self.steps) / spread
        rate = lr * rates(trainer, np.arange(size))
        self.value = self.value - rate * update - lr * params["weight_decay"] * self.value


DEFAULTS = {"learning_rate": 1e-4, "beta1": 0.9, "beta2": 0.95, "eps": 1e-12, "weight_decay": 0.0}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"learning_rate": 3e-3, "beta1": 0.8, "beta2": 0.9, "eps": 1e-8, "weight_decay": 0.1},
        {"learning_rate": 1e-3, "eps": 1e-3},
        {"beta1": 0.0},
        {"beta1": 0.95, "beta2": 0.9},
    ],
    ids=str,
)
def test_matches_the_textbook(small: BaseModel, told: dict[str, float]) -> None:
    """Different batches, so that most parameters have no gradient at most steps."""
    trainer, reference, params = Trainer(small), Textbook(), {**DEFAULTS, **told}
    for step in range(40):
        if step % 7 != 6:
            trainer.forward_backward(policy_data(step % 5, count=1, weighted=True))
        varied = {**params, "learning_rate": params["learning_rate"] * (1 + step % 3)}
        reference.step(trainer, varied)
        trainer.optim_step(varied)
        inside = np.abs(reference.value) < MAX_VALUE
        np.testing.assert_allclose(
            now(trainer)[inside], reference.value[inside], rtol=2e-5, atol=2e-5
        )


@pytest.mark.parametrize("eps", [1e-12, 1e-8])
@pytest.mark.parametrize("betas", [(0.9, 0.95), (0.9, 0.999), (0.99, 0.999), (0.5, 0.9)])
def test_coasting_in_closed_form_is_coasting_step_by_step(
    betas: tuple[float, float], eps: float
) -> None:
    """To twelve digits, over a thousand steps and for gradients of any size."""
    stream = np.random.default_rng(0)
    idle, rate = IdleSteps(), 1e-3
    params = {"beta1": betas[0], "beta2": betas[1], "eps": eps, "weight_decay": 0.0}
    second = 10.0 ** stream.uniform(-20, 2, 50)
    first = np.sqrt(second) * stream.normal(size=50)
    value, since = np.zeros(50), stream.integers(0, 30, 50)
    m, v, expected = first.copy(), second.copy(), value.copy()
    for step in range(1, 1000):
        told = rate * (1 + step % 2)
        idle.record({**params, "learning_rate": told})
        on = since < step
        m, v = np.where(on, m * betas[0], m), np.where(on, v * betas[1], v)
        moved = m / (1 - betas[0] ** step) / (np.sqrt(v / (1 - betas[1] ** step)) + eps)
        expected -= np.where(on, told * moved, 0.0)
    found = idle.values_after(value, first, second, np.ones(50), since)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_step_without_data_still_coasts(small: BaseModel) -> None:
    trainer = Trainer(small)
    trainer.forward_backward(policy_data(1, weighted=True))
    trainer.optim_step({"learning_rate": 1e-3})
    before = now(trainer)
    assert trainer.optim_step({"learning_rate": 1e-3})["unclipped_grad_l2:mean"] == 0.0
    assert not np.array_equal(now(trainer), before)


def test_gradient_norm_and_clipping(small: BaseModel) -> None:
    free, clipped = Trainer(small), Trainer(small)
    for trainer in (free, clipped):
        trainer.forward_backward(policy_data(1, weighted=True))
    norm = float(np.linalg.norm(free.gradient().slopes))
    assert free.optim_step({})["unclipped_grad_l2:mean"] == pytest.approx(norm)
    assert clipped.optim_step({"grad_clip_norm": norm / 4})[
        "unclipped_grad_l2:mean"
    ] == pytest.approx(norm)
    np.testing.assert_allclose(
        clipped.optimizer.first.values, free.optimizer.first.values / 4, atol=1e-12
    )


def test_norms_are_of_the_order_that_lora_shows(qwen: BaseModel) -> None:
    """One sentence, an ordinary batch, a policy batch."""
    stream = np.random.default_rng(0)
    for count, length in ((1, 20), (8, 128), (64, 32)):
        trainer, data = Trainer(qwen), []
        for _ in range(count):
            tokens = (stream.zipf(1.3, length + 1) - 1) % 100_000
            data.append(Datum(tokens[:-1], {"target_tokens": tokens[1:]}))
        trainer.forward_backward(data)
        assert 0.1 < trainer.optim_step({})["unclipped_grad_l2:mean"] < 30


def test_values_stay_bounded(small: BaseModel) -> None:
    trainer = Trainer(small)
    for _ in range(5):
        trainer.forward_backward(policy_data(1, weighted=True))
        trainer.optim_step({"learning_rate": 1e3})
    assert np.abs(now(trainer)).max() <= MAX_VALUE * (1 + 1e-6)
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


@pytest.mark.parametrize("config", [{"type": "lion"}, {"type": "dimuon", "version": 2}])
def test_other_optimizers_are_refused(small: BaseModel, config: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match="is not known here"):
        Trainer(small, optimizer=config)
