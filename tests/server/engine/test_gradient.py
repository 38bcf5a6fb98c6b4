"""Gradients against finite differences, for every loss and every parameter order."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.server.engine.conftest import policy_data
from tinker_mock.server.engine import BaseModel, Datum, ScriptedAnswer, Trainer, export_state
from tinker_mock.server.engine.model.answer_paths import Answer
from tinker_mock.server.engine.model.frozen_model import ORDERS
from tinker_mock.server.engine.model.scripted_answers import Prompt
from tinker_mock.server.engine.training.losses import LOSSES

STEP = 0.03


def loss_at(trainer: Trainer, nudge: dict[int, float], data: list[Datum], loss: str) -> float:
    """The loss with some entries' values moved."""
    values = trainer.adapter.values.values
    for entry, by in nudge.items():
        values[entry] += by
    found = trainer.forward(data, loss).metrics["loss:sum"]
    for entry, by in nudge.items():
        values[entry] -= by
    return found


def check(trainer: Trainer, data: list[Datum], loss: str, order: int) -> None:
    trainer.forward_backward(data, loss)
    found = trainer.gradient()
    entries, exact = found.entries, found.slopes
    table = trainer.adapter.table
    here = np.flatnonzero(table.order.values[table.context.values[entries]] == order)
    assert here.size > 5
    assert np.abs(exact[here]).max() > 1e-3
    for place in np.random.default_rng(1).choice(here, min(12, here.size), replace=False):
        entry = int(entries[place])
        up = loss_at(trainer, {entry: STEP}, data, loss)
        down = loss_at(trainer, {entry: -STEP}, data, loss)
        assert exact[place] == pytest.approx((up - down) / (2 * STEP), rel=2e-4, abs=2e-6)


# cispo and stable_reinforce hold their ratio constant: their slopes are checked in test_losses.
DIFFERENTIABLE = sorted(set(LOSSES) - {"cispo", "stable_reinforce", "gspo"})


@pytest.mark.parametrize("order", range(ORDERS))
@pytest.mark.parametrize("loss", DIFFERENTIABLE)
def test_matches_finite_differences(trained: Trainer, loss: str, order: int) -> None:
    check(trained, policy_data(11, weighted=loss == "cross_entropy"), loss, order)


@pytest.mark.parametrize("order", range(ORDERS))
def test_matches_finite_differences_under_a_scripted_answer(trained: Trainer, order: int) -> None:
    data = policy_data(11)
    opening = tuple(data[0].tokens[:2].tolist())
    trained.base.scripted_answers.add(ScriptedAnswer(opening, (3, 9, 12), probability=0.7))
    check(trained, data, "cross_entropy", order)


def parameters_by_order(trainer: Trainer) -> list[int]:
    state = export_state(trainer)
    orders = state["pairs.orders"][state["pairs.trained"]]
    return np.bincount(orders, minlength=ORDERS).tolist()


@dataclass(frozen=True)
class Mixture:
    """Three answers after two tokens, two of which begin alike."""

    opening: tuple[int, ...]

    def answers(self, prompt: Prompt) -> list[Answer]:
        told = {(3, 9, 12): 0.3, (3, 4): 0.2, (7,): 0.4}
        fits = prompt.tokens[-2:] == self.opening
        return [Answer(tokens, p) for tokens, p in told.items()] if fits else []

    def ends(self, tokens: list[int]) -> list[int]:
        return [
            at for at in range(1, len(tokens)) if tuple(tokens[at - 1 : at + 1]) == self.opening
        ]


@pytest.mark.parametrize("order", [0, 1, 2])
def test_matches_finite_differences_under_a_mixture(trained: Trainer, order: int) -> None:
    data = policy_data(11)
    trained.base.scripted_answers.add(Mixture(tuple(data[0].tokens[:2].tolist())))
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
    for order in range(ORDERS):
        check(trainer, data, "cross_entropy", order)
        trainer.pending = type(trainer.pending)()


def test_order_of_data_does_not_matter(trained: Trainer) -> None:
    data = policy_data(21, count=9)
    found = []
    for batch in (data, data[::-1], [data[i] for i in (4, 2, 0, 8, 6, 1, 3, 5, 7)]):
        trained.forward_backward(batch, "importance_sampling")
        exact = trained.gradient()
        found.append(exact.slopes[np.argsort(exact.entries)])
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
    sizes = parameters_by_order(trainer)
    assert sizes[:2] == [0, 0]
    assert min(sizes[2:]) > 0


def test_rank_bounds_what_an_adapter_holds(qwen: BaseModel) -> None:
    tokens = np.random.default_rng(0).permutation(100_000)[:40_001]
    datum = Datum(tokens[:-1], {"target_tokens": tokens[1:]})
    counts = []
    for rank in (1, 2, 4):
        trainer = Trainer(qwen, rank=rank)
        trainer.forward_backward([datum])
        trainer.optim_step({})
        counts.append(parameters_by_order(trainer)[1])
    assert counts == [16_384, 32_768, 40_000]
