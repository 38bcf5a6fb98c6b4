"""Sampling parameters and what a sample tells, as documented, over the wire."""

from typing import Any

import numpy as np
import pytest

from tests.server.conftest import BASE, TOKENS, Api, sample
from tests.server.handlers.test_sampling_over_http import message_of
from tinker_mock.server.catalog import Catalog

END = Catalog.load().get(BASE).end_tokens


def drawn(api: Api, sampler: str, number: int, **params: Any) -> dict[str, Any]:
    body = sample(sampler, number, sampling_params={"max_tokens": 8, "seed": 3, **params})
    found: dict[str, Any] = api.done("asample", body)["sequences"][0]
    return found


def test_without_stops_a_sample_ends_at_the_end_of_a_turn_and_with_none_it_goes_on(
    api: Api,
) -> None:
    """`stop` null is the implicit end token; an empty list switches even that off."""
    sampler = api.sampler()
    ended = drawn(api, sampler, 0, max_tokens=600, stop=None)
    assert ended["stop_reason"] == "stop"
    assert ended["tokens"][-1] in END
    assert not set(ended["tokens"][:-1]) & set(END)
    left_out = sample(sampler, 1, sampling_params={"max_tokens": 600, "seed": 3})
    assert api.done("asample", left_out)["sequences"][0] == ended
    longer = len(ended["tokens"]) + 20
    endless = drawn(api, sampler, 2, max_tokens=longer, stop=[])
    assert (endless["stop_reason"], len(endless["tokens"])) == ("length", longer)
    assert endless["tokens"][: len(ended["tokens"])] == ended["tokens"]


def test_top_k_of_minus_one_is_no_limit(api: Api) -> None:
    sampler = api.sampler()
    free = drawn(api, sampler, 0)
    assert drawn(api, sampler, 1, top_k=-1) == free
    greedy = drawn(api, sampler, 2, temperature=0)
    assert drawn(api, sampler, 3, top_k=1)["tokens"] == greedy["tokens"] != free["tokens"]


def test_prompt_logprobs_are_one_float32_a_token_and_nan_for_the_first(api: Api) -> None:
    told = message_of(api, sample(api.sampler(), 0, prompt_logprobs=True))
    scores = np.frombuffer(told.prompt_logprobs, dtype="<f4")
    assert scores.shape == (len(TOKENS),)
    assert np.isnan(scores[0])
    assert (np.isfinite(scores[1:]) & (scores[1:] <= 0)).all()


@pytest.mark.parametrize("k", [1, 5, 20])
def test_a_prompt_token_has_up_to_k_alternatives(api: Api, k: int) -> None:
    """Pairs of token and log-probability, the likeliest first; none for the first token."""
    asked = {"prompt_logprobs": True, "topk_prompt_logprobs": k}
    rows = api.done("asample", sample(api.sampler(), 0, **asked))["topk_prompt_logprobs"]
    assert len(rows) == len(TOKENS)
    assert not rows[0]
    for row in rows[1:]:
        assert len(row) == k
        assert [logprob for _, logprob in row] == sorted((p for _, p in row), reverse=True)
        assert len({token for token, _ in row}) == k


def test_a_prompt_of_nearly_the_context_is_sampled(api: Api) -> None:
    """65,530 of 65,536 tokens, which once failed inside the service."""
    prompt = {"chunks": [{"tokens": [7] * 65_530}]}
    sampler = api.sampler(base_model="Qwen/Qwen3.5-9B")
    body = sample(sampler, 0, prompt=prompt, sampling_params={"max_tokens": 6, "stop": []})
    assert len(api.done("asample", body)["sequences"][0]["tokens"]) == 6
