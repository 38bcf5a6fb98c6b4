"""The distribution itself: it sums to one, and every way of asking gives the same numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.engine.conftest import SMALL, policy_data
from tinker_mock.server.engine import (
    BaseModel,
    ChatGrammar,
    Datum,
    Sampler,
    SampleRequest,
    ScriptedAnswer,
    Trainer,
    export_state,
)
from tinker_mock.server.engine.model.score import Scorer


def log_distribution(base: BaseModel, scorer: Scorer, prompt: np.ndarray) -> np.ndarray:
    """log p of every row of the vocabulary after the prompt."""
    size = base.vocabulary_size
    end = base.read([prompt]).take(np.full(size, prompt.size - 1))
    return scorer.score(end, np.arange(size))


@settings(max_examples=40, deadline=None)
@given(
    prompt=st.lists(st.integers(0, SMALL - 1), min_size=1, max_size=9),
    temperature=st.sampled_from([0.3, 0.7, 1.0, 1.9]),
    rate=st.sampled_from([1e-4, 1e-3, 1e-2, 1.0]),
)
def test_sums_to_one_after_any_training(prompt: list[int], temperature: float, rate: float) -> None:
    base = BaseModel("tests/sums", SMALL, 57, end_tokens=(50,))
    trainer = Trainer(base, rank=2)
    for step in range(4):
        trainer.forward_backward(policy_data(step, weighted=True))
        trainer.optim_step({"learning_rate": rate})
    scorer = base.scorer(trainer.snapshot(), temperature)
    total = np.exp(log_distribution(base, scorer, np.array(prompt))).sum()
    assert total == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    "prompt", [[1], [9, 9], [151644, 77091, 198], [151644, 77091, 198, 151667]]
)
def test_sums_to_one_over_a_full_vocabulary(qwen: BaseModel, prompt: list[int]) -> None:
    trainer = Trainer(qwen)
    data = policy_data(3, high=151_936, weighted=True) + policy_data(4, high=200, weighted=True)
    for _ in range(5):
        trainer.forward_backward(
            [*data, Datum(np.array(prompt), {"target_tokens": np.array(prompt)})]
        )
        trainer.optim_step({"learning_rate": 1e-3})
    for scorer in (qwen.scorer(trainer.snapshot()), qwen.scorer()):
        total = np.exp(log_distribution(qwen, scorer, np.array(prompt))).sum()
        assert total == pytest.approx(1.0, abs=1e-9)


def test_cancellation_is_repaired(small: BaseModel) -> None:
    """A token loved everywhere and hated in one context leaves no digits to subtract."""
    trainer = Trainer(small, rank=2)
    everywhere = Datum(np.arange(40), {"target_tokens": np.full(40, 5)})
    here = Datum(np.array([1, 2]), {"target_tokens": np.full(2, 5), "weights": np.full(2, -90.0)})
    for _ in range(40):
        trainer.forward_backward([everywhere, here])
        trainer.optim_step({"learning_rate": 3e-2})
    scorer = small.scorer(trainer.snapshot())
    for prompt in ([1], [1, 2], [7, 2], [30]):
        total = np.exp(log_distribution(small, scorer, np.array(prompt))).sum()
        assert total == pytest.approx(1.0, abs=1e-9)


def test_training_prompts_and_samples_agree(qwen: BaseModel) -> None:
    trainer = Trainer(qwen)
    trainer.forward_backward(policy_data(8, high=3000, weighted=True))
    trainer.optim_step({"learning_rate": 1e-3})
    sampler = Sampler(qwen, trainer.snapshot())
    prompt = np.array([151644, 77091, 198, 40, 41])
    result = sampler.sample(SampleRequest(prompt, num_samples=3, max_tokens=40, seed=4))
    for sequence in result.sequences:
        whole = np.concatenate([prompt, sequence.tokens])
        scored = sampler.sample(SampleRequest(whole, max_tokens=1, prompt_logprobs=True))
        assert scored.prompt_logprobs is not None
        np.testing.assert_array_equal(scored.prompt_logprobs[prompt.size :], sequence.logprobs)
        forward = trainer.forward([Datum(whole[:-1], {"target_tokens": whole[1:]})])
        np.testing.assert_array_equal(forward.outputs[0]["logprobs"], scored.prompt_logprobs[1:])


def test_numbers_do_not_depend_on_the_batch(qwen: BaseModel) -> None:
    trainer = Trainer(qwen)
    data = policy_data(9, count=30, high=400, weighted=True)
    for _ in range(3):
        trainer.forward_backward(data)
        trainer.optim_step({"learning_rate": 1e-3})
    together = trainer.forward(data).outputs
    apart = [trainer.forward([datum]).outputs[0] for datum in data]
    scorer = qwen.scorer(trainer.snapshot())
    for datum, a, b in zip(data, together, apart, strict=True):
        assert a["logprobs"].tobytes() == b["logprobs"].tobytes()
        contexts = qwen.read([datum.tokens])
        targets = np.asarray(datum.inputs["target_tokens"])
        one = [scorer.score(contexts.take(slice(i, i + 1)), targets[i : i + 1]) for i in range(3)]
        assert np.concatenate(one).tobytes() == scorer.score(contexts, targets)[:3].tobytes()


def test_forward_leaves_no_trace(trained: Trainer) -> None:
    before = {name: array.tobytes() for name, array in export_state(trained).items()}
    trained.forward(policy_data(50, weighted=True))
    assert not trained.pending
    assert {name: array.tobytes() for name, array in export_state(trained).items()} == before


def test_snapshots_do_not_change(trained: Trainer) -> None:
    snapshot = trained.snapshot()
    request = SampleRequest(np.array([1, 2, 3]), max_tokens=1, prompt_logprobs=True)
    before = Sampler(trained.base, snapshot).sample(request).prompt_logprobs
    trained.forward_backward(policy_data(1, weighted=True))
    trained.optim_step({"learning_rate": 1e-2})
    after = Sampler(trained.base, snapshot).sample(request).prompt_logprobs
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before, after)


def test_snapshots_sample_the_same_after_more_training(small: BaseModel) -> None:
    """Tokens that the frozen model lists become parameters later: the snapshot knows nothing."""
    trainer = Trainer(small, rank=2)
    trainer.forward_backward(policy_data(0, count=1, weighted=True))
    trainer.optim_step({"learning_rate": 1e-3})
    snapshot = trainer.snapshot()
    request = SampleRequest(np.array([30, 31]), num_samples=300, max_tokens=8, seed=1, stop=[])
    before = [s.tokens.tolist() for s in Sampler(small, snapshot).sample(request).sequences]
    for step in range(4):
        trainer.forward_backward(policy_data(step, weighted=True))
        trainer.optim_step({"learning_rate": 1e-2})
    after = [s.tokens.tolist() for s in Sampler(small, snapshot).sample(request).sequences]
    assert after == before


def test_a_scripted_answer_has_the_probability_it_was_given(small: BaseModel) -> None:
    header = [51, 7, 8]
    small.scripted_answers.add(ScriptedAnswer((1, 2, 3), (20, 21, 50), probability=0.95))
    prompt = np.array([1, 2, 3, 50, *header])
    whole = np.array([*prompt, 20, 21, 50])
    scored = Sampler(small).sample(SampleRequest(whole, max_tokens=1, prompt_logprobs=True))
    assert scored.prompt_logprobs is not None
    np.testing.assert_allclose(np.exp(scored.prompt_logprobs[-3:].sum()), 0.95, rtol=1e-6)
    result = Sampler(small).sample(SampleRequest(prompt, num_samples=400, max_tokens=3, seed=1))
    share = np.mean([s.tokens.tolist() == [20, 21, 50] for s in result.sequences])
    assert 0.91 < share < 0.98
    total = np.exp(log_distribution(small, small.scorer(), prompt)).sum()
    assert total == pytest.approx(1.0, abs=1e-9)


def test_a_scripted_answer_may_look_at_the_text() -> None:
    """A text pattern is sought in the prompt up to where an assistant turn opens."""
    words = {1: "capital", 2: "of", 3: "France", 4: "Spain", 51: "<turn>"}
    base = BaseModel(
        "tests/text",
        SMALL,
        grammar=ChatGrammar(end_tokens=(50,), header=(51,), specials=((50, 56),)),
        decode=lambda tokens: " ".join(words.get(t, "?") for t in tokens),
    )
    base.scripted_answers.add(ScriptedAnswer(r"capital of F\w+", (30, 50), probability=0.9))
    ask = SampleRequest(np.array([1, 2, 3, 51, 30, 50]), max_tokens=1, prompt_logprobs=True)
    found = Sampler(base).sample(ask).prompt_logprobs
    other = SampleRequest(np.array([1, 2, 4, 51, 30, 50]), max_tokens=1, prompt_logprobs=True)
    plain = Sampler(base).sample(other).prompt_logprobs
    assert found is not None
    assert plain is not None
    np.testing.assert_allclose(np.exp(found[-2:].sum()), 0.9, rtol=1e-6)
    assert np.exp(plain[-2]) < 0.1
