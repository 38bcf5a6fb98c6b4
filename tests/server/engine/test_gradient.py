"""Gradients against finite differences, for every loss and every parameter order."""

import numpy as np
import pytest

from tests.server.engine.conftest import policy_data
from tinker_mock.server.engine import BaseModel, Datum, ScriptedAnswer, Trainer, export_state
from tinker_mock.server.engine.model.adapter import Parameters
from tinker_mock.server.engine.training.gradient import gradient
from tinker_mock.server.engine.training.losses import LOSSES

STEP = 1e-6


def loss_at(trainer: Trainer, weights: Parameters, data: list[Datum], loss: str) -> float:
    probe = Trainer(trainer.base, rank=4)
    probe.parameters = weights
    return probe.forward(data, loss).metrics["loss:sum"]


def nudged(weights: Parameters, order: int, entry: int, by: float) -> Parameters:
    values = [value.copy() for value in weights.values]
    values[order][entry] += by
    moved = (values[0], values[1], values[2])
    return Parameters(weights.frozen, weights.shape, weights.tables, moved, weights.trained)


def check(trainer: Trainer, data: list[Datum], loss: str, order: int) -> None:
    trainer.forward_backward(data, loss)
    weights, _ = trainer.parameters.admit(trainer.pending.keys(trainer.parameters))
    exact = gradient(weights, trainer.pending)[order]
    entries = np.flatnonzero(weights.trained[order])
    assert entries.size > 5
    chosen = np.random.default_rng(1).choice(entries, min(12, entries.size), replace=False)
    for entry in chosen:
        up = loss_at(trainer, nudged(weights, order, entry, STEP), data, loss)
        down = loss_at(trainer, nudged(weights, order, entry, -STEP), data, loss)
        numeric = (up - down) / (2 * STEP)
        assert exact[entry] == pytest.approx(numeric, rel=2e-4, abs=2e-4)


# cispo and stable_reinforce hold their ratio constant: their slopes are checked in test_losses.
DIFFERENTIABLE = sorted(set(LOSSES) - {"cispo", "stable_reinforce", "gspo"})


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("loss", DIFFERENTIABLE)
def test_matches_finite_differences(trained: Trainer, loss: str, order: int) -> None:
    check(trained, policy_data(11, weighted=loss == "cross_entropy"), loss, order)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_matches_finite_differences_under_a_scripted_answer(trained: Trainer, order: int) -> None:
    data = policy_data(11)
    opening = tuple(data[0].tokens[:2].tolist())
    trained.base.scripted_answers.add(ScriptedAnswer(opening, (3, 9, 12), probability=0.7))
    check(trained, data, "cross_entropy", order)


def test_targets_with_several_columns(small: BaseModel) -> None:
    trainer = Trainer(small, rank=4)
    stream = np.random.default_rng(3)
    data = [
        Datum(
            stream.integers(0, 50, 6),
            {
                "target_tokens": stream.integers(0, 61, (6, 4)),
                "weights": stream.normal(size=(6, 4)).astype(np.float32),
            },
        )
    ]
    result = trainer.forward(data)
    assert result.outputs[0]["logprobs"].shape == (6, 4)
    for order in range(3):
        check(trainer, data, "cross_entropy", order)
        trainer.pending = type(trainer.pending)()


def test_order_of_data_does_not_matter(trained: Trainer) -> None:
    data = policy_data(21, count=9)
    found = []
    for batch in (data, data[::-1], [data[i] for i in (4, 2, 0, 8, 6, 1, 3, 5, 7)]):
        trained.forward_backward(batch, "importance_sampling")
        weights, _ = trained.parameters.admit(trained.pending.keys(trained.parameters))
        found.append(np.concatenate(gradient(weights, trained.pending)))
        trained.pending = type(trained.pending)()
    np.testing.assert_allclose(found[1], found[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(found[2], found[0], rtol=0, atol=1e-10)


def test_two_halves_accumulate_to_the_whole(small: BaseModel) -> None:
    data = policy_data(31, count=8, weighted=True)
    halves, whole = Trainer(small, rank=4), Trainer(small, rank=4)
    for _ in range(3):
        halves.forward_backward(data[:3])
        halves.forward_backward(data[3:])
        whole.forward_backward(data)
        norm = halves.optim_step({})["unclipped_grad_l2:mean"]
        assert whole.optim_step({})["unclipped_grad_l2:mean"] == pytest.approx(norm, rel=1e-12)
    left = halves.forward(data).outputs
    right = whole.forward(data).outputs
    for a, b in zip(left, right, strict=True):
        np.testing.assert_allclose(a["logprobs"], b["logprobs"], atol=1e-6)


def test_untrained_modules_get_no_parameters(small: BaseModel) -> None:
    trainer = Trainer(small, train_mlp=False, train_unembed=False)
    trainer.forward_backward(policy_data(1, weighted=True))
    trainer.optim_step({})
    sizes = [export_state(trainer)[f"orders.{o}.keys"].size for o in range(3)]
    assert sizes[:2] == [0, 0]
    assert sizes[2] > 0


def test_rank_bounds_what_an_adapter_holds(qwen: BaseModel) -> None:
    tokens = np.random.default_rng(0).permutation(100_000)[:40_001]
    datum = Datum(tokens[:-1], {"target_tokens": tokens[1:]})
    counts = []
    for rank in (1, 2, 4):
        trainer = Trainer(qwen, rank=rank)
        trainer.forward_backward([datum])
        trainer.optim_step({})
        counts.append(export_state(trainer)["orders.1.keys"].size)
    assert counts == [16_384, 32_768, 40_000]
