"""Sampling sessions, samples with every option, streams."""

import json
from typing import Any

import numpy as np
import pytest

from tests.server.conftest import BASE, TOKENS, Api, sample
from tinker_mock.contracts.protobuf import messages

PROTOBUF = "application/x-protobuf"


def message_of(api: Api, body: dict[str, Any]) -> Any:
    """The sample as the newest SDK gets it."""
    told = {"request_id": api.submit("asample", body)}
    while (answer := api.post("retrieve_future", told, Accept=PROTOBUF)).status_code == 408:
        pass
    return messages.SampleResponse.FromString(answer.content)


def floats(content: bytes) -> list[float]:
    return [float(value) for value in np.frombuffer(content, dtype="<f4")]


def test_the_same_seed_gives_the_same_tokens(api: Api) -> None:
    sampler = api.sampler()
    first, again, other = (
        api.done(
            "asample", sample(sampler, number, sampling_params={"max_tokens": 8, "seed": seed})
        )
        for number, seed in enumerate((3, 3, 4))
    )
    assert first == again
    assert first["sequences"] != other["sequences"]


def test_without_a_seed_the_number_decides(api: Api) -> None:
    body = {"sampling_params": {"max_tokens": 8}}
    sampler = api.sampler()
    told = [api.done("asample", sample(sampler, n, **body))["sequences"] for n in (0, 1, 0)]
    assert told[0] == told[2]
    assert told[0] != told[1]


def test_every_sequence_has_its_name(api: Api) -> None:
    sampler = api.sampler()
    body = sample(sampler, 0, num_samples=3)
    answer = api.post("asample", body).json()
    assert len(set(answer["sample_sequence_ids"])) == 3
    assert api.post("asample", body).json() == answer
    sequences = api.outcome(answer["request_id"])["sequences"]
    assert len({tuple(sequence["tokens"]) for sequence in sequences}) > 1
    for sequence in sequences:
        assert len(sequence["logprobs"]) == len(sequence["tokens"])


def test_protobuf_carries_every_option(api: Api) -> None:
    targets = {"data": TOKENS[1:], "dtype": "int64", "shape": [len(TOKENS) - 1, 1]}
    options = {
        "prompt_logprobs": True,
        "prompt_logprobs_last_n": 3,
        "topk_prompt_logprobs": 4,
        "topk_sample_logprobs": 2,
        "prompt_alt_tokens_k": 2,
        "target_prompt_logprobs": targets,
    }
    sampler = api.sampler()
    told = message_of(api, sample(sampler, 0, **options))
    plain = message_of(api, sample(sampler, 1, prompt_logprobs=True))
    scored = floats(told.prompt_logprobs)
    assert np.isnan(scored[: len(TOKENS) - 3]).all()
    assert scored[-3:] == floats(plain.prompt_logprobs)[-3:]
    assert (told.topk_prompt_logprobs.length, told.topk_prompt_logprobs.k) == (len(TOKENS), 4)
    assert list(told.prompt_alt_tokens.tokens.shape) == [len(TOKENS) - 1, 2]
    assert told.sequences[0].topk_sampled_logprobs.k == 2
    assert floats(told.target_prompt_logprobs.dense)[-3:] == scored[-3:]


def test_stops(api: Api) -> None:
    sampler = api.sampler()

    def tokens(number: int, stop: Any) -> dict[str, Any]:
        params = {"max_tokens": 40, "seed": 5, "stop": stop}
        told = api.done("asample", sample(sampler, number, sampling_params=params))
        found: dict[str, Any] = told["sequences"][0]
        return found

    free = tokens(0, [])
    assert (len(free["tokens"]), free["stop_reason"]) == (40, "length")
    stop = free["tokens"][10]
    stopped = tokens(1, [stop])
    assert stopped["stop_reason"] == "stop"
    assert stopped["tokens"][-1] == stop
    assert stopped["tokens"].count(stop) == 1


def test_a_sampler_needs_a_source_and_both_must_fit(api: Api) -> None:
    body = {"session_id": api.session(), "sampling_session_seq_id": 0}
    model = api.model(body["session_id"])
    saved = {"model_id": model, "seq_id": 1, "path": "a"}
    path = api.done("save_weights_for_sampler", saved)["path"]
    for wrong in ({}, {"base_model": "Qwen/Qwen3.5-4B", "model_path": path}):
        refused = api.post("create_sampling_session", {**body, **wrong})
        assert refused.status_code == 400
        assert "base_model" in refused.json()["detail"]
    fitting = {"base_model": BASE, "model_path": path}
    assert api.post("create_sampling_session", {**body, **fitting}).status_code == 200


def test_a_number_opens_one_sampling_session(api: Api) -> None:
    session = api.session()
    sampler = api.sampler(session, 4)
    assert sampler == f"{session}:sample:4"
    assert api.sampler(session, 4) == sampler
    body = {"session_id": session, "sampling_session_seq_id": 4, "base_model": "Qwen/Qwen3.5-4B"}
    assert api.post("create_sampling_session", body).status_code == 409


def test_clients_that_join_get_their_own_numbers(api: Api) -> None:
    body = {"sampling_session_id": api.sampler()}
    counters = [api.post("join_sampling_session", body).json()["client_counter"] for _ in range(3)]
    assert counters == [1, 2, 3]


def test_the_older_address_of_asample(api: Api) -> None:
    assert len(api.done("sample", sample(api.sampler(), 0))["sequences"]) == 1


def test_a_stream_has_one_event_a_token_and_says_how_it_ends(api: Api) -> None:
    sampler = api.sampler()
    body = sample(sampler, 0, num_samples=2)
    whole = api.done("asample", body)["sequences"]
    answer = api.post("stream_sample", body, Accept="text/event-stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [
        dict(line.split(": ", 1) for line in block.splitlines())
        for block in answer.text.strip().split("\n\n")
    ]
    told = [json.loads(event["data"]) for event in events]
    for index, sequence in enumerate(whole):
        mine = [entry for entry in told if entry["index"] == index]
        assert [entry["token_id"] for entry in mine[:-1]] == sequence["tokens"]
        assert mine[-1]["finish_reason"] == sequence["stop_reason"]
        assert mine[-1]["total_tokens"] == len(sequence["tokens"])
    assert {event["event"] for event in events} == {"token", "done"}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -1}, "temperature"),
    ],
)
def test_wrong_parameters_are_named(api: Api, params: dict[str, Any], field: str) -> None:
    body = sample(api.sampler(), 0, sampling_params=params)
    for path in ("asample", "stream_sample"):
        refused = api.post(path, body)
        assert refused.status_code == 422
        assert refused.json()["error"]["field"] == f"/sampling_params/{field}"


def test_cache_hits_count_what_the_session_read_before(api: Api) -> None:
    """Whole blocks of 16, never the last token; another session starts with nothing."""
    first, other = api.sampler(), api.sampler()
    head = list(range(100, 164))

    def hits(sampler: str, number: int, tokens: list[int]) -> int:
        body = sample(sampler, number, prompt={"chunks": [{"tokens": tokens}]})
        return int(api.done("asample", body)["prompt_cache_hit_tokens"])

    assert hits(first, 0, head) == 0
    assert hits(first, 1, head) == 48  # the 64th token is the last: its block is not whole
    assert hits(first, 2, [*head, 7, 8, 9]) == 48
    assert hits(first, 3, [*head, 7, 8, 9]) == 64
    assert hits(first, 4, [99, *head[1:]]) == 0
    assert hits(other, 5, head) == 0
    body = sample(first, 6, prompt={"chunks": [{"tokens": head[:32]}, {"tokens": head[32:]}]})
    assert message_of(api, body).prompt_cache_hit_tokens == 48
