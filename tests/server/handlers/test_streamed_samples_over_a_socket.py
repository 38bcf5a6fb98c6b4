"""stream_sample on a real connection: the same tokens as asample, and no more than were wanted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tests.server.conftest import Api, sample
from tinker_mock.server.engine import SampledSequence, Sampler
from tinker_mock.server.serving.in_thread import RunningServer

SLOW = {"X-Tinker-Mock-Effect": "slow-events-50ms"}
LONG = 4000


def told_by(answer: httpx.Response) -> list[dict[str, Any]]:
    lines = answer.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens the engine drew, slice by slice."""
    sizes: list[int] = []
    original = Sampler.slices

    def counted(*arguments: Any) -> Iterator[SampledSequence]:
        for part in original(*arguments):
            sizes.append(part.tokens.size)
            yield part

    monkeypatch.setattr(Sampler, "slices", counted)
    return sizes


@contextmanager
def stopped_at_the_first_event(api: Api, **more: Any) -> Iterator[None]:
    """A stream whose next event waits for a clock that stands still; at the end we hang up."""
    params = {"max_tokens": LONG, "seed": 1, "stop": []}
    body = sample(api.sampler(), 0, sampling_params=params, **more)
    with api.http.stream("POST", "/api/v1/stream_sample", json=body, headers=SLOW) as response:
        url = f"{api.server.url}/_mock/clock/advance"
        httpx.post(url, json={"seconds": 0.05}, timeout=60)
        events = response.iter_raw()  # kept, for its end closes the connection
        assert b"token_id" in next(events)
        yield


@pytest.mark.parametrize(
    "params",
    [
        {"max_tokens": 50, "seed": 3},
        {"max_tokens": 20, "seed": 3, "temperature": 0.0},
        {"max_tokens": 45, "seed": 8, "top_p": 0.5, "top_k": 40},
        {"max_tokens": 45},
    ],
    ids=str,
)
def test_a_stream_has_the_tokens_of_asample(api: Api, params: dict[str, Any]) -> None:
    body = sample(api.sampler(), 0, num_samples=2, sampling_params=params)
    whole = api.done("asample", body)["sequences"]
    told = told_by(api.post("stream_sample", body))
    for index, sequence in enumerate(whole):
        *tokens, done = (one for one in told if one["index"] == index)
        assert [one["token_id"] for one in tokens] == sequence["tokens"]
        assert [one["logprob"] for one in tokens] == pytest.approx(sequence["logprobs"])
        assert done["finish_reason"] == sequence["stop_reason"]
        assert done["total_tokens"] == len(sequence["tokens"])


@pytest.mark.tinker_mock(clock="manual")
def test_a_client_that_hangs_up_stops_the_generation(
    tinker_mock: RunningServer, drawn: list[int]
) -> None:
    api = Api(tinker_mock, "tml-hangs-up")
    with api.http, stopped_at_the_first_event(api, num_samples=2):
        pass
    journal, query = f"{tinker_mock.url}/_mock/journal", {"operation": "stream_sample"}
    waited = {**query, "count": 1, "timeout": 60}
    httpx.get(f"{journal}/wait", params=waited, timeout=90)
    entries = httpx.get(journal, params=query, timeout=60).json()["entries"]
    assert [entry["verdict"] for entry in entries] == ["gone"]
    assert drawn
    assert sum(drawn) < LONG / 10


@pytest.mark.tinker_mock(clock="manual")
def test_what_was_not_read_was_not_drawn(tinker_mock: RunningServer, drawn: list[int]) -> None:
    """While the client waits at its first event, the engine is a few events ahead at most."""
    api = Api(tinker_mock, "tml-waits")
    with api.http, stopped_at_the_first_event(api):
        assert sum(drawn) < LONG / 10


def test_a_whole_stream_draws_every_token_once(api: Api, drawn: list[int]) -> None:
    params = {"max_tokens": 50, "seed": 1, "stop": []}
    body = sample(api.sampler(), 0, num_samples=2, sampling_params=params)
    told = told_by(api.post("stream_sample", body))
    assert drawn == [4, 16, 16, 14] * 2
    assert sum("token_id" in one for one in told) == 100
