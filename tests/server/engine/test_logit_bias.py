"""Penalties and biases are part of the distribution that is sampled and reported."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.server.engine.conftest import SMALL_TOKENIZER
from tests.server.engine.test_sampling import distribution, frequencies_fit
from tinker_mock.server.engine import (
    BaseModel,
    EngineError,
    LogitBias,
    Sampler,
    SampleRequest,
    Trainer,
)

PROMPT = np.array([3, 5, 5, 9, 2])
LOGIT_BIAS = LogitBias(presence=0.7, frequency=-0.4, bias=((4, 2.0), (9, -1.0)), generated=4)


@pytest.fixture
def sampler(trained: Trainer) -> Sampler:
    return Sampler(trained.base, trained.snapshot())


def expected(sampler: Sampler, text: list[int], generated: list[int], heat: float) -> np.ndarray:
    """The definition, token by token."""
    p = distribution(sampler, np.array(text), heat)
    for token in range(SMALL_TOKENIZER):
        count = generated.count(token)
        logit = dict(LOGIT_BIAS.bias).get(token, 0.0)
        logit -= LOGIT_BIAS.presence * (count > 0) + LOGIT_BIAS.frequency * count
        p[token] *= np.exp(logit / heat)
    return p / p.sum()


@pytest.mark.parametrize("heat", [0.5, 1.0, 1.6])
def test_frequencies(sampler: Sampler, heat: float) -> None:
    request = SampleRequest(
        PROMPT, num_samples=1500, max_tokens=1, seed=3, temperature=heat, logit_bias=LOGIT_BIAS
    )
    tokens = np.array([s.tokens[0] for s in sampler.sample(request).sequences])
    wanted = expected(sampler, PROMPT.tolist(), [5, 5, 9, 2], heat)
    assert frequencies_fit(tokens, wanted) > 1e-4


@pytest.mark.parametrize("more", [{}, {"temperature": 0.0}, {"top_k": 3}, {"top_p": 0.6}], ids=str)
def test_logprobs_are_those_of_the_definition(sampler: Sampler, more: dict[str, Any]) -> None:
    request = SampleRequest(
        PROMPT, max_tokens=25, seed=8, stop=[], topk_sample_logprobs=4, logit_bias=LOGIT_BIAS
    )
    found = sampler.sample(dataclasses.replace(request, **more)).sequences[0]
    assert found.topk is not None
    text, generated = PROMPT.tolist(), [5, 5, 9, 2]
    for place, token in enumerate(found.tokens.tolist()):
        p = expected(sampler, text, generated, 1.0)
        best = np.argsort(-p, kind="stable")
        assert found.logprobs[place] == pytest.approx(np.log(p[token]), abs=1e-5)
        assert found.topk.logprobs[place] == pytest.approx(np.log(p[best[:4]]), abs=1e-5)
        if "top_k" in more:
            assert token in best[:3]
        if "top_p" in more:
            assert p[best[: best.tolist().index(token)]].sum() < 0.6
        if "temperature" in more:
            assert token == best[0]
        text.append(token)
        generated.append(token)


def test_the_end_of_the_prompt_may_count_as_generated(sampler: Sampler) -> None:
    """A continuation asked for in two parts has the log-probabilities of one."""
    request = SampleRequest(PROMPT, max_tokens=10, temperature=0, stop=[], logit_bias=LOGIT_BIAS)
    whole = sampler.sample(request).sequences[0]
    later = dataclasses.replace(
        request,
        prompt=np.append(PROMPT, whole.tokens[:6]),
        max_tokens=4,
        logit_bias=dataclasses.replace(LOGIT_BIAS, generated=LOGIT_BIAS.generated + 6),
    )
    rest = sampler.sample(later).sequences[0]
    assert rest.tokens.tolist() == whole.tokens[6:].tolist()
    assert np.array_equal(rest.logprobs, whole.logprobs[6:])


def test_sampling_ends_where_it_should(small: BaseModel) -> None:
    forced = LogitBias(bias=((50, 100.0),))
    request = SampleRequest(PROMPT, max_tokens=10, seed=1, logit_bias=forced)
    sequence = Sampler(small).sample(request).sequences[0]
    assert (sequence.tokens.tolist(), sequence.stop_reason) == ([50], "stop")


def test_biases_of_padding_rows_are_refused(sampler: Sampler) -> None:
    padding = LogitBias(bias=((SMALL_TOKENIZER, 1.0),))
    request = SampleRequest(PROMPT, max_tokens=1, logit_bias=padding)
    with pytest.raises(EngineError, match="logit_bias"):
        sampler.sample(request)
