"""A sample tells what of its prompt was read before, and that costs less; a quirk forgets it."""

from typing import Any

import pytest

from tests.server.conftest import BASE, Api, sample
from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.serving.in_thread import RunningServer

WINDOW = {"starting_on": "2026-01-01T00:00:00Z", "ending_before": "2026-01-02T00:00:00Z"}
PROMPT = list(range(1000, 1100))
READ = 96
"""Whole blocks of 16 before the last token of 100."""


def prompted(sampler: str, seq_id: int, tokens: list[int]) -> dict[str, Any]:
    return sample(sampler, seq_id, prompt={"chunks": [{"tokens": tokens}]})


def hits(api: Api, body: dict[str, Any]) -> int:
    return int(api.done("asample", body)["prompt_cache_hit_tokens"])


@pytest.mark.tinker_mock(clock="manual")
def test_what_was_read_before_is_told_and_billed_at_a_fifth(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-cache")
    with api.http:
        sampler = api.sampler()
        assert hits(api, prompted(sampler, 1, PROMPT)) == 0
        assert hits(api, prompted(sampler, 2, PROMPT)) == READ
        assert hits(api, prompted(sampler, 3, [*PROMPT[:50], 7, *PROMPT[51:]])) == 48
        assert hits(api, prompted(sampler, 4, [7, *PROMPT[1:]])) == 0
        events = api.get("billing/usage/events", **WINDOW).json()["data"]
    prefill = [e for e in events if e["event_info"]["type"] == "sampling_prefill"]
    counted = {e["event_info"]["cached"]: e["event_info"]["token_count"] for e in prefill}
    assert counted == {False: 400 - READ - 48, True: READ + 48}
    rates = {e["event_info"]["cached"]: e["effective_rate_usd_per_million_tokens"] for e in prefill}
    assert rates[True] == pytest.approx(rates[False] / 5)


def test_a_message_tells_it_too_and_other_keys_have_their_own(tinker_mock: RunningServer) -> None:
    api, other = Api(tinker_mock, "tml-cache"), Api(tinker_mock, "tml-other")
    with api.http, other.http:
        sampler = api.sampler(base_model=BASE)
        hits(api, prompted(sampler, 1, PROMPT))
        assert hits(other, prompted(other.sampler(), 1, PROMPT)) == 0
        asked = {"request_id": api.submit("asample", prompted(sampler, 2, PROMPT))}
        answer = api.post("retrieve_future", asked, Accept="application/x-protobuf")
    assert answer.headers["content-type"].startswith("application/x-protobuf")
    message = messages.SampleResponse.FromString(answer.content)
    assert message.prompt_cache_hit_tokens == READ


@pytest.mark.tinker_mock(quirks=["uncached-prompts"])
def test_the_quirk_caches_nothing(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-cache")
    with api.http:
        sampler = api.sampler()
        assert [hits(api, prompted(sampler, number, PROMPT)) for number in (1, 2)] == [0, 0]


def test_the_order_of_arrival_does_not_count(tinker_mock: RunningServer) -> None:
    """A request hits what those with smaller numbers read, also where they come after it."""
    api = Api(tinker_mock, "tml-cache")
    with api.http:
        sampler = api.sampler()
        assert hits(api, prompted(sampler, 5, PROMPT)) == 0
        assert hits(api, prompted(sampler, 3, PROMPT)) == 0
        assert hits(api, prompted(sampler, 4, PROMPT)) == READ
