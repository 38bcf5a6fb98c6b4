"""A batch that comes again is answered from what is kept of it, with the numbers it would have."""

import gc
import weakref

import numpy as np
import pytest

from tests.server.engine.conftest import SMALL, policy_data
from tinker_mock.server.engine import BaseModel, Datum, ScriptedAnswer, Trainer, export_state
from tinker_mock.server.engine.model.plans import MOST_PLANS, Plans
from tinker_mock.server.service.packing import weight_of


def wide(seed: int) -> list[Datum]:
    """Three targets a position."""
    stream = np.random.default_rng(seed)
    tokens = stream.integers(0, SMALL, 9)
    targets = stream.integers(0, SMALL, (9, 3))
    return [Datum(tokens, {"target_tokens": targets, "weights": stream.normal(size=(9, 3))})]


def history(trainer: Trainer) -> list[bytes]:
    """What a training tells in which batches come again, alone, in turn, together and scripted."""
    told: list[bytes] = []

    def forward_backward(data: list[Datum], loss: str = "cross_entropy") -> None:
        found = trainer.forward_backward(data, loss)
        told.extend(output["logprobs"].tobytes() for output in found.outputs)

    batches = [policy_data(1, weighted=True), policy_data(2, weighted=True), wide(3)]
    for turn in range(12):
        if turn == 4:
            trainer.base.scripted_answers.add(ScriptedAnswer((3,), (5, 7, 50), 0.6))
        if turn == 8:
            trainer.base.scripted_answers.clear()
        forward_backward(batches[(0, 0, 1, 2, 0)[turn % 5]])
        if turn % 3 == 2:
            forward_backward(policy_data(1), "importance_sampling")
            forward_backward(batches[0])
        told.append(trainer.forward(batches[1]).outputs[0]["logprobs"].tobytes())
        trainer.optim_step({"learning_rate": 1e-3, "weight_decay": 0.01 * (turn % 2)})
    return told + [np.asarray(array).tobytes() for array in export_state(trainer).values()]


@pytest.mark.parametrize("rank", [1, 8])
def test_what_is_remembered_of_a_batch_changes_no_number(small: BaseModel, rank: int) -> None:
    remembering = history(Trainer(small, rank=rank))
    small.plans = Plans(limit=0)
    assert history(Trainer(small, rank=rank)) == remembering


def test_targets_of_another_shape_are_other_questions(small: BaseModel) -> None:
    trainer = Trainer(small)
    tokens, targets = np.arange(4), np.array([1, 2, 3, 4])
    flat = Datum(tokens, {"target_tokens": targets})
    column = Datum(tokens, {"target_tokens": targets[:, None], "weights": np.ones((4, 1))})
    halves = [
        Datum(tokens[part], {"target_tokens": targets[part]}) for part in (slice(2), slice(2, 4))
    ]
    for data in ([flat], [column], halves, [flat]):
        found = trainer.forward(data)
        assert [o["logprobs"].shape for o in found.outputs] == [
            d.inputs["target_tokens"].shape for d in data
        ]
        alone = Trainer(small).forward(data)
        assert [o["logprobs"].tobytes() for o in found.outputs] == [
            o["logprobs"].tobytes() for o in alone.outputs
        ]


def kept(trainer: Trainer, batches: list[list[Datum]]) -> list[bool]:
    """Which of the batches are remembered."""
    scorer, found = trainer.scorer, []
    for data in batches:
        targets = [np.asarray(datum.inputs["target_tokens"]) for datum in data]
        questions = trainer._questions(data, targets)
        assert questions.name is not None
        found.append(scorer.asked(questions.name) is not None)
    return found


def test_the_batches_used_last_are_kept_within_bounds(small: BaseModel) -> None:
    trainer = Trainer(small)
    batches = [policy_data(seed, count=1) for seed in range(MOST_PLANS + 3)]
    for data in batches:
        trainer.forward(data)
    assert kept(trainer, batches) == [False] * 3 + [True] * MOST_PLANS
    size = trainer.scorer.plan(
        trainer._questions(batches[-1], [batches[-1][0].inputs["target_tokens"]])
    )
    small.plans = Plans(limit=2 * size.layout.entries.size)
    other = Trainer(small)
    for data in (batches[-1], batches[-1], policy_data(0, count=60)):
        other.forward(data)
    assert kept(other, [batches[-1], policy_data(0, count=60)]) == [True, False]


def test_they_go_with_their_model(small: BaseModel) -> None:
    trainer = Trainer(small)
    trainer.forward(policy_data(1))
    plan = weakref.ref(next(iter(small.plans._kept[trainer.scorer].values()))[1])
    gc.disable()
    try:
        assert plan() is not None
        del trainer
        assert plan() is None
    finally:
        gc.enable()


def test_a_pending_gradient_weighs_what_it_holds(small: BaseModel) -> None:
    trainer = Trainer(small)
    trainer.forward(policy_data(1))
    before = weight_of(trainer)
    trainer.forward_backward(policy_data(1, weighted=True))
    (part,) = trainer.pending.parts
    assert part.prepared is not None
    entries = part.prepared.layout.entries.size
    assert weight_of(trainer) - before > 5 * 8 * entries  # their places, and what they weigh
