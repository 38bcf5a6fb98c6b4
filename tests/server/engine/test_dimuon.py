"""Dimuon: what is documented of it, and that it learns and goes on to the bit."""

import math
from typing import Any

import numpy as np
import pytest

from tests.server.engine.conftest import policy_data
from tinker_mock.server.engine import BaseModel, EngineError, Trainer, export_state, load_state
from tinker_mock.server.engine.model.adapter import RATE
from tinker_mock.server.engine.training.dimuon import unit_direction

CONFIG = {"type": "dimuon", "version": 1}
STEP = {"type": "dimuon", "learning_rate": 1e-4}


def values(trainer: Trainer) -> np.ndarray:
    return trainer.values()


def orders(trainer: Trainer) -> np.ndarray:
    table = trainer.adapter.table
    return table.order.values[table.context.values]


def moved(trainer: Trainer, **params: float) -> np.ndarray:
    """What one step after one batch moves each parameter by."""
    trainer.forward_backward(policy_data(1, weighted=True))
    trainer.gradient()  # makes the parameters
    before = values(trainer)
    trainer.optim_step({**STEP, **params})
    return values(trainer) - before


@pytest.mark.parametrize("rank", [8, 32, 128])
def test_the_direction_of_every_matrix_has_norm_root_rank(small: BaseModel, rank: int) -> None:
    trainer = Trainer(small, rank=rank, optimizer=CONFIG)
    change = moved(trainer, rank_lr_correction_exponent=0.0)
    for order, rate in enumerate(RATE):
        norm = np.linalg.norm(change[orders(trainer) == order])
        assert norm in (0.0, pytest.approx(1e-4 * rate * math.sqrt(rank), rel=1e-5))


def test_the_rank_correction_is_relative_to_32(small: BaseModel) -> None:
    def norm(rank: int, exponent: float) -> float:
        change = moved(Trainer(small, rank=rank, optimizer=CONFIG),
                       rank_lr_correction_exponent=exponent)  # fmt: skip
        return float(np.linalg.norm(change)) / math.sqrt(rank)

    assert norm(32, 0.175) == pytest.approx(norm(32, 0.0), rel=1e-5)
    assert norm(128, 0.5) == pytest.approx(norm(128, 0.0) / 2, rel=1e-5)
    assert norm(8, 0.5) == pytest.approx(norm(8, 0.0) * 2, rel=1e-5)


def test_rows_and_columns_are_levelled() -> None:
    """A matrix of one entry a row and column is orthogonal once its lines have equal energy; a
    large damping leaves the gradient's own direction."""
    sizes = np.array([1.0, -100.0, 0.01])
    lines = np.arange(3)
    direction = unit_direction(sizes, lines, lines, damping=1e-12)
    np.testing.assert_allclose(direction, np.sign(sizes) / math.sqrt(3), rtol=1e-3)
    smooth = unit_direction(sizes, lines, lines, damping=1e9)
    np.testing.assert_allclose(smooth, sizes / np.linalg.norm(sizes), rtol=1e-6)


def test_momentum_is_an_average_with_beta1(small: BaseModel) -> None:
    trainer = Trainer(small, optimizer=CONFIG)
    expected: Any = 0.0
    for beta in (0.9, 0.5):
        trainer.forward_backward(policy_data(1, weighted=True))
        found = trainer.gradient()
        expected = beta * expected + (1 - beta) * found.slopes
        trainer.optim_step({**STEP, "beta1": beta})
    np.testing.assert_allclose(trainer.optimizer.momentum.values[found.entries], expected)  # type: ignore[union-attr]


def test_repeated_steps_lower_the_loss(small: BaseModel) -> None:
    trainer = Trainer(small, rank=8, optimizer=CONFIG)
    data = policy_data(2)
    losses = []
    for _ in range(8):
        losses.append(trainer.forward_backward(data).metrics["loss:sum"])
        trainer.optim_step(STEP)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


def test_a_resumed_model_goes_on_to_the_bit(small: BaseModel) -> None:
    def run(trainer: Trainer, first: int) -> list[float]:
        found = []
        for step in range(first, first + 3):
            found.append(trainer.forward_backward(policy_data(step)).metrics["loss:sum"])
            trainer.optim_step(STEP)
        return found

    straight = Trainer(small, rank=8, optimizer=CONFIG)
    run(straight, 0)
    state = export_state(straight)
    resumed, fresh = (Trainer(small, rank=8, optimizer=CONFIG) for _ in range(2))
    load_state(resumed, state, with_optimizer=True)
    load_state(fresh, state)
    expected = run(straight, 3)
    assert run(resumed, 3) == expected
    without = run(fresh, 3)
    assert without[0] == expected[0]
    assert without[2] != expected[2]


def test_one_optimizers_state_is_not_anothers(small: BaseModel) -> None:
    state = export_state(Trainer(small, optimizer=CONFIG))
    with pytest.raises(EngineError, match="another optimizer's state"):
        load_state(Trainer(small), state, with_optimizer=True)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"learning_rate": 1e-3}, "optimizer_params.type"),
        ({"type": "dimuon"}, "optimizer_params.learning_rate"),
        ({**STEP, "learning_rate": -1.0}, "optimizer_params.learning_rate"),
        ({**STEP, "beta1": 1.0}, "optimizer_params.beta1"),
        ({**STEP, "damping": 0.0}, "optimizer_params.damping"),
        ({**STEP, "grad_clip_norm": math.nan}, "optimizer_params.grad_clip_norm"),
        ({**STEP, "weight_decay": 0.1}, "optimizer_params.weight_decay"),
    ],
)
def test_mistakes_are_named(small: BaseModel, params: dict[str, Any], field: str) -> None:
    trainer = Trainer(small, optimizer=CONFIG)
    with pytest.raises(EngineError) as caught:
        trainer.optim_step(params)
    assert caught.value.field == field


def test_clipping_at_nothing_or_less_is_off(small: BaseModel) -> None:
    free, off = (Trainer(small, optimizer=CONFIG) for _ in range(2))
    np.testing.assert_array_equal(moved(free), moved(off, grad_clip_norm=-1.0))
