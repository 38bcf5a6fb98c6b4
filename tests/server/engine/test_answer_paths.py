"""Answers are a distribution: their probabilities, and what is left for the rest of the model."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_mock.server.engine import BaseModel, Datum, Sampler, SampleRequest, Trainer
from tinker_mock.server.engine.model.answer_paths import Answer, AnswerPaths

tokens = st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple)
answers = st.lists(st.tuples(tokens, st.floats(0.01, 0.2)), min_size=1, max_size=4)


def probability_of(paths: AnswerPaths, wanted: tuple[int, ...]) -> float:
    """The product of the steps, from the odds that each place tells."""
    path, found = paths.start(), 1.0
    for token in wanted:
        odds = {t: float(np.exp(value)) for t, value in path.following()}
        found *= odds.get(token, 0.0) / (1.0 + sum(odds.values()))
        following = path.step(token)
        if following is None:
            return found
        path = following
    return found


@given(answers)
def test_every_answer_has_its_probability(told: list[tuple[tuple[int, ...], float]]) -> None:
    """Equal answers add up; one that begins another keeps its own share at its end."""
    paths = AnswerPaths(tuple(Answer(*one) for one in told))
    for wanted, _ in told:
        ends = sum(p for other, p in told if other == wanted)
        reached = probability_of(paths, wanted)
        assert reached >= ends - 1e-9
        if not any(other != wanted and other[: len(wanted)] == wanted for other, _ in told):
            assert reached == pytest.approx(ends, rel=1e-6)


def test_frequencies_and_log_probabilities_are_those_of_the_weights(small: BaseModel) -> None:
    """30 and 70 of a hundred, in what is drawn and in what is told about it."""
    yes, no = (20, 21, 50), (22, 50)
    small.scripted_answers.add(Mixture({yes: 0.3, no: 0.69}))
    prompt = np.array([1, 2, 3])
    drawn = Sampler(small).sample(SampleRequest(prompt, num_samples=2000, max_tokens=4, seed=1))
    shares = [
        np.mean([tuple(s.tokens.tolist()) == wanted for s in drawn.sequences])
        for wanted in (yes, no)
    ]
    assert shares == pytest.approx([0.3, 0.69], abs=0.03)
    for sequence in drawn.sequences:
        wanted = {yes: 0.3, no: 0.69}.get(tuple(sequence.tokens.tolist()))
        if wanted is not None:
            assert float(np.exp(sequence.logprobs.sum())) == pytest.approx(wanted, rel=1e-5)
    scored = Trainer(small).forward([targets(prompt, yes)]).outputs[0]["logprobs"]
    assert float(np.exp(np.asarray(scored)[-3:].sum())) == pytest.approx(0.3, rel=1e-5)


def test_training_moves_a_mixture(small: BaseModel) -> None:
    """It is part of the distribution: rewarding one answer makes it likelier."""
    yes, no = (20, 21, 50), (22, 50)
    small.scripted_answers.add(Mixture({yes: 0.3, no: 0.69}))
    trainer, prompt = Trainer(small), np.array([1, 2, 3])
    for step in range(30):
        sampler = Sampler(small, trainer.snapshot())
        drawn = sampler.sample(SampleRequest(prompt, num_samples=16, max_tokens=4, seed=step))
        rewards = np.array([tuple(s.tokens.tolist()) == yes for s in drawn.sequences], float)
        data = []
        for sequence, advantage in zip(drawn.sequences, rewards - rewards.mean(), strict=True):
            datum = targets(prompt, tuple(sequence.tokens.tolist()))
            size, lead = sequence.tokens.size, prompt.size - 1
            logprobs = np.concatenate([np.zeros(lead), sequence.logprobs])
            marks = np.concatenate([np.zeros(lead), np.full(size, advantage)])
            inputs = {
                "target_tokens": datum.inputs["target_tokens"],
                "logprobs": logprobs.astype(np.float32),
                "advantages": marks.astype(np.float32),
            }
            data.append(Datum(datum.tokens, inputs))
        result = trainer.forward_backward(data, "importance_sampling")
        if step == 0:
            for output, sequence in zip(result.outputs, drawn.sequences, strict=True):
                told = np.asarray(output["logprobs"])[-sequence.tokens.size :]
                np.testing.assert_array_equal(told, sequence.logprobs)
        trainer.optim_step({"learning_rate": 1e-3})
    sampler = Sampler(small, trainer.snapshot())
    drawn = sampler.sample(SampleRequest(prompt, num_samples=400, max_tokens=4, seed=99))
    assert np.mean([tuple(s.tokens.tolist()) == yes for s in drawn.sequences]) > 0.9


def test_the_whole_distribution_still_adds_up_to_one(small: BaseModel) -> None:
    small.scripted_answers.add(Mixture({(20, 21): 0.2, (20, 22): 0.3, (23,): 0.4}))
    prompt = np.array([1, 2, 3, 20])
    Sampler(small).sample(SampleRequest(prompt[:3], max_tokens=1, seed=1))
    for end in (3, 4):
        context = small.read([prompt[:end]]).take(slice(-1, None))
        vocabulary = np.arange(small.vocabulary_size)
        many = context.take(np.zeros(vocabulary.size, dtype=np.int64))
        total = np.exp(small.scorer().score(many, vocabulary)).sum()
        assert total == pytest.approx(1.0, abs=1e-9)


class Mixture:
    """A script that answers prompts which end with 1, 2, 3."""

    def __init__(self, answers: dict[tuple[int, ...], float]) -> None:
        self.told = [Answer(tokens, probability) for tokens, probability in answers.items()]

    def answers(self, prompt: object) -> list[Answer]:
        found: tuple[int, ...] = prompt.tokens  # type: ignore[attr-defined]
        return self.told if found[-3:] == (1, 2, 3) else []

    def ends(self, tokens: list[int]) -> list[int]:
        return [at for at in range(2, len(tokens)) if tokens[at - 2 : at + 1] == [1, 2, 3]]


def targets(prompt: np.ndarray, answer: tuple[int, ...]) -> Datum:
    whole = np.array([*prompt, *answer])
    weights = [0.0] * (prompt.size - 1) + [1.0] * len(answer)
    inputs = {"target_tokens": whole[1:], "weights": np.array(weights, dtype=np.float32)}
    return Datum(whole[:-1], inputs)


def test_steps_agree_with_counting() -> None:
    """Against plain counting over a mixture of equal lengths."""
    told = {(0, 0): 0.1, (0, 1): 0.2, (1, 0): 0.3}
    paths = AnswerPaths(tuple(Answer(t, p) for t, p in told.items()))
    for wanted in itertools.product((0, 1), repeat=2):
        assert probability_of(paths, wanted) == pytest.approx(told.get(wanted, 0.0), rel=1e-9)
