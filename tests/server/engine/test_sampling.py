"""Sampling: the right frequencies, the right cuts, repeatable, stopping where it should."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.server.engine.conftest import SMALL, SMALL_TOKENIZER, policy_data
from tinker_mock.server.engine import (
    BaseModel,
    ChatGrammar,
    EngineError,
    Sampler,
    SampleRequest,
    ScriptedAnswer,
    Trainer,
)

PROMPTS = [
    [1],
    [30, 31],
    [3, 5, 9],
    [51, 7, 8],
    [51, 7, 8, 52, 9, 9, 9, 9],
    [52, 1, 53, 2, 2, 2, 2, 2],
]


def distribution(sampler: Sampler, prompt: np.ndarray, temperature: float) -> np.ndarray:
    """p of every token after the prompt, padding rows left out."""
    assert sampler.weights is not None
    end = sampler.base.read([prompt]).take(np.full(SMALL, prompt.size - 1))
    scores = sampler.base.scorer(sampler.weights, temperature).score(end, np.arange(SMALL))
    return np.exp(scores[:SMALL_TOKENIZER])


def frequencies_fit(tokens: np.ndarray, expected: np.ndarray) -> float:
    """p-value of a chi-square test; rare cells are pooled."""
    counts = np.bincount(tokens, minlength=expected.size)
    wanted = expected / expected.sum() * tokens.size
    common = wanted >= 5
    assert not counts[expected == 0].any()
    observed = [*counts[common], counts[~common].sum()]
    pooled = [*wanted[common], wanted[~common].sum()]
    if pooled[-1] < 1e-6:
        observed, pooled = observed[:-1], pooled[:-1]
    if len(pooled) < 2:
        return 1.0
    return float(stats.chisquare(observed, np.array(pooled) * sum(observed) / sum(pooled)).pvalue)


def first_tokens(sampler: Sampler, prompt: np.ndarray, **params: Any) -> np.ndarray:
    request = SampleRequest(prompt, num_samples=2000, max_tokens=1, seed=3, **params)
    return np.array([s.tokens[0] for s in sampler.sample(request).sequences])


@pytest.fixture
def sampler(trained: Trainer) -> Sampler:
    return Sampler(trained.base, trained.snapshot())


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.6])
@pytest.mark.parametrize("prompt", PROMPTS, ids=str)
def test_frequencies(sampler: Sampler, prompt: list[int], temperature: float) -> None:
    context = np.array(prompt)
    tokens = first_tokens(sampler, context, temperature=temperature)
    assert frequencies_fit(tokens, distribution(sampler, context, temperature)) > 1e-4


@pytest.mark.parametrize("prompt", PROMPTS[:4], ids=str)
def test_top_k_keeps_the_likeliest(sampler: Sampler, prompt: list[int]) -> None:
    context = np.array(prompt)
    p = distribution(sampler, context, 0.8)
    likeliest = np.lexsort((np.arange(p.size), -p))[:5]
    tokens = first_tokens(sampler, context, temperature=0.8, top_k=5)
    expected = np.zeros(p.size)
    expected[likeliest] = p[likeliest]
    assert frequencies_fit(tokens, expected) > 1e-4


@pytest.mark.parametrize("top_p", [0.2, 0.6, 0.9])
@pytest.mark.parametrize("prompt", PROMPTS[:5], ids=str)
def test_top_p_keeps_the_nucleus(sampler: Sampler, prompt: list[int], top_p: float) -> None:
    context = np.array(prompt)
    p = distribution(sampler, context, 1.0)
    order = np.argsort(-p, kind="stable")
    size = int(np.searchsorted(np.cumsum(p[order]), top_p)) + 1
    expected = np.where(p >= p[order[size - 1]] * (1 - 1e-9), p, 0.0)
    assert frequencies_fit(first_tokens(sampler, context, top_p=top_p), expected) > 1e-4


def test_top_p_after_top_k(sampler: Sampler) -> None:
    context = np.array([3, 5, 9])
    p = distribution(sampler, context, 1.0)
    likeliest = np.argsort(-p, kind="stable")[:6]
    size = int(np.searchsorted(np.cumsum(p[likeliest]) / p[likeliest].sum(), 0.5)) + 1
    tokens = first_tokens(sampler, context, top_k=6, top_p=0.5)
    assert set(tokens.tolist()) == set(likeliest[:size].tolist())


def test_nucleus_includes_a_scripted_token(small: BaseModel) -> None:
    small.scripted_answers.add(ScriptedAnswer((1, 2), (40,), probability=0.6))
    request = SampleRequest(np.array([1, 2]), num_samples=300, max_tokens=1, top_p=0.5, seed=1)
    tokens = {int(s.tokens[0]) for s in Sampler(small).sample(request).sequences}
    assert tokens == {40}


def test_a_script_replaced_by_another_counts_at_once(small: BaseModel) -> None:
    """What is kept per context does not outlive a scripted answer."""
    shown = []
    for probability in (0.6, 0.9):
        small.scripted_answers.clear()
        small.scripted_answers.add(ScriptedAnswer((1, 2), (40,), probability=probability))
        ask = SampleRequest(np.array([1, 2]), max_tokens=1, temperature=0.0, topk_sample_logprobs=1)
        sequence = Sampler(small).sample(ask).sequences[0]
        assert sequence.topk is not None
        shown.append(float(np.exp(sequence.topk.logprobs[0, 0])))
    assert shown == pytest.approx([0.6, 0.9], abs=1e-6)


@pytest.mark.parametrize("prompt", PROMPTS, ids=str)
def test_temperature_zero_is_the_likeliest_token(sampler: Sampler, prompt: list[int]) -> None:
    context = np.array(prompt)
    request = SampleRequest(context, num_samples=3, max_tokens=1, temperature=0.0)
    p = distribution(sampler, context, 1.0)
    for sequence in sampler.sample(request).sequences:
        assert sequence.tokens[0] == np.argmax(p)
        assert sequence.logprobs[0] == pytest.approx(np.log(p.max()), abs=1e-6)


def test_logprobs_are_those_of_the_rescaled_softmax(sampler: Sampler) -> None:
    """log p_t(i) - log p_t(j) = (log p(i) - log p(j)) / t, cut or not."""
    context = np.array([3, 5, 9])
    p = distribution(sampler, context, 1.0)
    for params in ({}, {"top_k": 8}, {"top_p": 0.7}):
        request = SampleRequest(
            context, num_samples=50, max_tokens=1, temperature=0.6, seed=2, **params
        )
        found = {int(s.tokens[0]): float(s.logprobs[0]) for s in sampler.sample(request).sequences}
        (i, at_i), *others = found.items()
        for j, at_j in others:
            assert at_i - at_j == pytest.approx((np.log(p[i]) - np.log(p[j])) / 0.6, abs=1e-5)


def test_seeds_repeat_whatever_else_runs(sampler: Sampler) -> None:
    request = SampleRequest(np.array([1, 2, 3]), num_samples=5, max_tokens=30, seed=9)
    first = sampler.sample(request)
    sampler.sample(dataclasses.replace(request, seed=10, temperature=0.7))
    again = sampler.sample(request)
    more = sampler.sample(dataclasses.replace(request, num_samples=9))
    other = sampler.sample(dataclasses.replace(request, seed=10))
    rows = [s.tokens.tolist() for s in first.sequences]
    assert [s.tokens.tolist() for s in again.sequences] == rows
    assert [s.tokens.tolist() for s in more.sequences][:5] == rows
    assert len({tuple(row) for row in rows}) == 5
    assert [s.tokens.tolist() for s in other.sequences] != rows


def test_without_a_seed_the_entropy_decides(sampler: Sampler) -> None:
    def rows(entropy: str) -> list[list[int]]:
        request = SampleRequest(np.array([1, 2]), max_tokens=20, entropy=entropy)
        return [s.tokens.tolist() for s in sampler.sample(request).sequences]

    assert rows("server 0, session a, 1") == rows("server 0, session a, 1")
    assert rows("server 0, session a, 1") != rows("server 0, session a, 2")


SLICED: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"top_k": 3},
    {"top_p": 0.6, "temperature": 0.7},
    {"stop": [3], "num_samples": 4},
    {"max_tokens": 70, "stop": []},
    {"max_tokens": 20},
    {"max_tokens": 4, "topk_sample_logprobs": 2},
]


@pytest.mark.parametrize("more", SLICED, ids=str)
def test_slices_end_to_end_are_the_sample(sampler: Sampler, more: dict[str, Any]) -> None:
    request = SampleRequest(**{"prompt": np.array([1, 2, 3]), "max_tokens": 37, "seed": 4, **more})
    for index, whole in enumerate(sampler.sample(request).sequences):
        parts = list(sampler.slices(request, index, 4, 16))
        assert np.concatenate([part.tokens for part in parts]).tolist() == whole.tokens.tolist()
        assert np.array_equal(np.concatenate([part.logprobs for part in parts]), whole.logprobs)
        assert parts[-1].stop_reason == whole.stop_reason
        assert max(part.tokens.size for part in parts) <= 16
        if whole.topk is not None:
            rows = [part.topk.logprobs for part in parts if part.topk is not None]
            assert np.array_equal(np.concatenate(rows), whole.topk.logprobs)


def test_tokens_come_one_by_one(sampler: Sampler) -> None:
    request = SampleRequest(np.array([1, 2, 3]), max_tokens=12, seed=4)
    whole = sampler.sample(request).sequences[0]
    assert list(sampler.stream(request)) == list(
        zip(whole.tokens.tolist(), whole.logprobs.tolist(), strict=True)
    )


def test_slices_are_refused_before_the_first(sampler: Sampler) -> None:
    with pytest.raises(EngineError, match="top_p"):
        sampler.slices(SampleRequest(np.array([1]), max_tokens=2, top_p=-1.0), 0, 4, 16)
    with pytest.raises(EngineError, match="stop strings"):
        sampler.slices(SampleRequest(np.array([1]), max_tokens=2, stop="x"), 0, 4, 16)


def test_padding_rows_are_never_sampled(small: BaseModel) -> None:
    trainer = Trainer(small)
    data = policy_data(1, weighted=True)
    for datum in data:
        datum.inputs["target_tokens"][:] = 60
        datum.inputs["weights"][:] = 1.0
    for _ in range(30):
        trainer.forward_backward(data)
        trainer.optim_step({"learning_rate": 5e-3})
    for params in ({}, {"top_k": 5}, {"top_p": 0.9}, {"temperature": 0.0}):
        request = SampleRequest(
            np.array([1, 2]), num_samples=40, max_tokens=20, seed=1, stop=[], **params
        )
        for sequence in Sampler(small, trainer.snapshot()).sample(request).sequences:
            assert sequence.tokens.max() < SMALL_TOKENIZER


def test_null_stops_at_the_end_token_and_an_empty_list_never(sampler: Sampler) -> None:
    ask = SampleRequest(np.array([51, 7, 8]), num_samples=40, max_tokens=60, seed=1)
    for sequence in sampler.sample(ask).sequences:
        ended = sequence.stop_reason == "stop"
        assert (sequence.tokens[-1] == 50) == ended
        assert 50 not in sequence.tokens[:-1]
        assert sequence.logprobs.size == sequence.tokens.size
    endless = sampler.sample(dataclasses.replace(ask, stop=[]))
    assert {s.stop_reason for s in endless.sequences} == {"length"}
    assert {s.tokens.size for s in endless.sequences} == {60}


def test_stop_tokens_and_strings_are_part_of_the_output(trained: Trainer) -> None:
    base = trained.base
    base.decode = lambda tokens: "".join(chr(97 + t % 26) for t in tokens)
    sampler = Sampler(base, trained.snapshot())
    ask = SampleRequest(np.array([1, 2]), num_samples=40, max_tokens=80, seed=1, stop=[9])
    reasons = set()
    for sequence in sampler.sample(ask).sequences:
        reasons.add(sequence.stop_reason)
        if sequence.stop_reason == "stop":
            assert sequence.tokens[-1] in (9, 50)
        assert not np.isin(sequence.tokens[:-1], (9, 50)).any()
    assert "stop" in reasons
    for stop in ("ab", ["ab", "zz"]):
        found = 0
        for sequence in sampler.sample(dataclasses.replace(ask, stop=stop)).sequences:
            text = base.decode(sequence.tokens.tolist())
            assert "ab" not in text[:-1]
            found += text.endswith("ab")
        assert found


def test_stop_strings_need_a_tokenizer(sampler: Sampler) -> None:
    with pytest.raises(EngineError, match="stop strings need the tokenizer"):
        sampler.sample(SampleRequest(np.array([1]), max_tokens=1, stop="x"))


def test_chat_turns_are_short_and_well_formed(qwen: BaseModel) -> None:
    header = [151644, 77091, 198]
    ask = SampleRequest(np.array(header), num_samples=64, max_tokens=1024, seed=1)
    thought = 0
    for sequence in Sampler(qwen).sample(ask).sequences:
        tokens = sequence.tokens.tolist()
        assert sequence.stop_reason == "stop"
        assert tokens[-1] == 151645
        if tokens[0] == 151667:
            close = tokens.index(151668)
            assert close >= 5
            assert len(tokens) - close >= 6
            thought += 1
        specials = [t for t in tokens if 151643 <= t <= 151668]
        assert len(specials) <= 3
    assert thought > 50


def test_opening_tokens_come_first() -> None:
    grammar = ChatGrammar(
        end_tokens=(90,), header=(91, 5), opening=(92, 17, 93), specials=((90, 95),)
    )
    base = BaseModel("tests/harmony", 100, 96, grammar=grammar)
    ask = SampleRequest(np.array([91, 5]), num_samples=50, max_tokens=60, seed=2)
    opened = [s.tokens[:3].tolist() for s in Sampler(base).sample(ask).sequences]
    assert opened.count([92, 17, 93]) > 45


def test_closing_tokens_end_the_message_before_the_turn() -> None:
    """A message-structured family: end of message, model message, text, end of message, end."""
    grammar = ChatGrammar(
        end_tokens=(90,), header=(91,), opening=(92, 93), closing=91, specials=((90, 95),)
    )
    base = BaseModel("tests/messages", 100, 96, grammar=grammar)
    prompt = np.array([94, 93, 5, 6, 91])
    ask = SampleRequest(prompt, num_samples=50, max_tokens=200, seed=2)
    well_formed = 0
    for sequence in Sampler(base).sample(ask).sequences:
        tokens = sequence.tokens.tolist()
        whole = np.concatenate([prompt, sequence.tokens])
        scored = Sampler(base).sample(SampleRequest(whole, max_tokens=1, prompt_logprobs=True))
        assert scored.prompt_logprobs is not None
        np.testing.assert_array_equal(scored.prompt_logprobs[prompt.size :], sequence.logprobs)
        well_formed += tokens[:2] == [92, 93] and tokens[-2:] == [91, 90] and len(tokens) > 7
    assert well_formed > 45


def test_prompt_scores(sampler: Sampler) -> None:
    prompt = np.array([1, 2, -1, -1, 3, 4])
    ask = SampleRequest(prompt, max_tokens=1, prompt_logprobs=True, topk_prompt_logprobs=4, seed=1)
    found = sampler.sample(ask)
    assert found.prompt_logprobs is not None
    assert found.topk_prompt_logprobs is not None
    np.testing.assert_array_equal(np.isnan(found.prompt_logprobs), [1, 0, 1, 1, 0, 0])
    ids, scores = found.topk_prompt_logprobs.token_ids, found.topk_prompt_logprobs.logprobs
    assert ids.shape == (6, 4)
    assert (ids[0] == 0).all()
    assert (scores[0] == -99999.0).all()
    assert (np.diff(scores[1:], axis=1) <= 0).all()
    p = distribution(sampler, prompt[:5], 1.0)
    np.testing.assert_array_equal(ids[5], np.argsort(-p, kind="stable")[:4])
    np.testing.assert_allclose(scores[5], np.log(np.sort(p)[::-1][:4]), atol=1e-6)
    last = dataclasses.replace(ask, prompt_logprobs_last_n=2)
    tail = sampler.sample(last)
    assert tail.prompt_logprobs is not None
    assert tail.topk_prompt_logprobs is not None
    np.testing.assert_array_equal(tail.prompt_logprobs[-2:], found.prompt_logprobs[-2:])
    assert np.isnan(tail.prompt_logprobs[:-2]).all()
    assert (tail.topk_prompt_logprobs.logprobs[:4] == -99999.0).all()


def test_top_k_of_samples_holds_the_sampled_token(sampler: Sampler) -> None:
    ask = SampleRequest(
        np.array([1, 2]), max_tokens=12, topk_sample_logprobs=50, temperature=0.7, seed=1
    )
    sequence = sampler.sample(ask).sequences[0]
    assert sequence.topk is not None
    assert sequence.topk.token_ids.shape == (sequence.tokens.size, 50)
    for i, token in enumerate(sequence.tokens):
        column = np.flatnonzero(sequence.topk.token_ids[i] == token)
        if column.size:
            assert sequence.topk.logprobs[i, column[0]] == pytest.approx(sequence.logprobs[i])


def test_target_prompt_logprobs(sampler: Sampler) -> None:
    prompt = np.array([1, 2, 3, 4])
    targets = np.array([[2, 7], [-1, 3], [4, -1]])
    ask = SampleRequest(prompt, max_tokens=1, prompt_logprobs=True, target_prompt_logprobs=targets)
    found = sampler.sample(ask)
    assert found.target_prompt_logprobs is not None
    assert found.prompt_logprobs is not None
    assert found.target_prompt_logprobs.shape == (3, 2)
    np.testing.assert_array_equal(
        [found.target_prompt_logprobs[i, j] for i, j in ((0, 0), (1, 1), (2, 0))],
        found.prompt_logprobs[1:],
    )
    assert found.target_prompt_logprobs[1, 0] == 0.0


def test_prompt_alternatives_follow_the_distribution(sampler: Sampler) -> None:
    prompt = np.array([3, 5, 9, 2])
    ask = SampleRequest(prompt, max_tokens=1, prompt_alt_tokens_k=1000, temperature=0.8, seed=1)
    found = sampler.sample(ask)
    assert found.prompt_alt_tokens is not None
    assert found.prompt_alt_logprobs is not None
    assert found.prompt_alt_tokens.shape == found.prompt_alt_logprobs.shape == (3, 1000)
    for position in range(3):
        p = distribution(sampler, prompt[: position + 1], 0.8)
        assert frequencies_fit(found.prompt_alt_tokens[position], p) > 1e-4
        np.testing.assert_allclose(
            found.prompt_alt_logprobs[position],
            np.log(p[found.prompt_alt_tokens[position]]),
            atol=1e-5,
        )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prompt": np.zeros(0, int)}, "prompt"),
        ({"prompt": np.array([61])}, "prompt"),
        ({"prompt": np.zeros(40_000, int)}, "prompt"),
        ({"max_tokens": 40_000}, "sampling_params.max_tokens"),
        ({"max_tokens": -1}, "sampling_params.max_tokens"),
        ({"temperature": -0.1}, "sampling_params.temperature"),
        ({"temperature": float("nan")}, "sampling_params.temperature"),
        ({"top_p": 0.0}, "sampling_params.top_p"),
        ({"top_p": 1.1}, "sampling_params.top_p"),
        ({"top_k": 0}, "sampling_params.top_k"),
        ({"num_samples": 0}, "num_samples"),
        ({"topk_prompt_logprobs": -1}, "topk_prompt_logprobs"),
        ({"prompt_logprobs_last_n": 1}, "prompt_logprobs_last_n"),
        ({"prompt_logprobs_last_n": 3, "prompt_logprobs": True}, "prompt_logprobs_last_n"),
        ({"target_prompt_logprobs": np.zeros((3, 1), int)}, "target_prompt_logprobs"),
    ],
)
def test_mistakes_are_named(small: BaseModel, changes: dict[str, Any], field: str) -> None:
    ask = dataclasses.replace(SampleRequest(np.array([1, 2, 3]), max_tokens=4), **changes)
    with pytest.raises(EngineError) as caught:
        Sampler(small).sample(ask)
    assert caught.value.field == field


def test_max_tokens_left_out_means_up_to_the_context_length() -> None:
    base = BaseModel("tests/short", 40, context_length=50)
    sequence = Sampler(base).sample(SampleRequest(np.array([1, 2]), seed=1)).sequences[0]
    assert sequence.tokens.size == 48
    assert sequence.stop_reason == "length"
