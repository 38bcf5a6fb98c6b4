"""Every cassette of the repository, replayed in both directions, and compared with the others."""

import os
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tinker_mock.client.config import presets
from tinker_mock.client.futures.order import Turn
from tinker_mock.contracts import load_contract
from tinker_mock.suite.cassettes import recorded_server, replay_client, replay_server
from tinker_mock.suite.cassettes.cassette import (
    Cassette,
    cassette_paths,
    cassette_text,
    read_cassette,
)
from tinker_mock.suite.cassettes.comparing import unequal
from tinker_mock.suite.cassettes.parity_page import BEGIN, END, tables, unneeded
from tinker_mock.suite.cassettes.programs import PROGRAMS
from tinker_mock.suite.cassettes.recorded_server import UnexpectedRequestError
from tinker_mock.suite.cassettes.replay_client import (
    PRESETS,
    ReplayDiffersError,
    replay_problems,
    replay_to_client,
)
from tinker_mock.suite.cassettes.replay_server import replay_to_server
from tinker_mock.suite.cassettes.situation import Situation
from tinker_mock.suite.cassettes.stories import SMALL, STORIES, flags, play, tellers, told_by
from tinker_mock.suite.core.http import Routes
from tinker_mock.suite.mock_process import NO_TOKENIZERS, mock_server
from tinker_mock.suite.sdk.environment import releases

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "fixtures" / "cassettes"
PATHS = cassette_paths(FOLDER)
FULL = tuple(PRESETS)
TELLING_ALL = ("openai", "anthropic", "python-latest", "tinkex", "python-0.7")
"""These tell nothing that their release may lack."""
PAGE = ROOT / "docs" / "client" / "parity.md"


@cache
def cassette(client: str, program: str) -> Cassette:
    return read_cassette(FOLDER / client / f"{program}.yaml")


def test_every_release_told_its_stories() -> None:
    found = {(path.parent.name, path.name.partition(".")[0]) for path in PATHS}
    for release in releases():
        assert {(f"tinker-{release}", program) for program in SMALL} <= found, release
    for client in FULL:
        assert {(client, program) for program in PROGRAMS} <= found, client
    for client in TELLING_ALL:
        assert {(client, program) for program in told_by(client)} <= found, client
    assert {path.parent.name for path in PATHS} == set(tellers())


def test_they_touch_most_of_the_contract_and_stay_small() -> None:
    contracts = {name: Routes(name) for name in ("tinker", "inference")}
    touched = {name: set[str]() for name in contracts}
    for path in PATHS:
        for one in read_cassette(path).interactions:
            for name, routes in contracts.items():
                operation = routes.match(one.method, one.path.partition("?")[0])
                touched[name].update([operation.id] if operation else [])
    assert len(touched["tinker"]) >= 47, sorted(touched["tinker"])
    assert touched["inference"] == load_contract("inference").operations.keys()
    assert sum(os.path.getsize(path) for path in PATHS) < 2_500_000


def test_they_have_errors_of_each_class_and_streams() -> None:
    answers = [one for path in PATHS for one in read_cassette(path).interactions]
    statuses = {one.status for one in answers}
    assert {200, 302, 400, 401, 402, 403, 404, 408, 409, 410, 422, 429, 500, 502, 503, 504} <= (
        statuses
    )
    streamed = {one.path for one in answers if one.content_type == "text/event-stream"}
    assert streamed == {
        "/api/v1/stream_sample",
        "/oai/api/v1/chat/completions",
        "/oai/api/v1/completions",
        "/anthropic/api/v1/messages",
    }


@pytest.mark.parametrize("client", [*FULL, "python-latest", "tinkex", "python-0.7"])
def test_the_reference_client_sends_the_recorded_requests(client: str) -> None:
    for path in cassette_paths(FOLDER / client):
        assert replay_problems(read_cassette(path)) == [], path.stem


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_clients_come_to_the_same_values(program: str) -> None:
    values = [cassette(client, program).values for client in FULL]
    for other in values[1:]:
        assert unequal(values[0], other) == []


@pytest.mark.parametrize("options", sorted({flags(name) for name in STORIES}))
def test_a_live_server_answers_the_recorded_requests_alike(options: tuple[str, ...]) -> None:
    with mock_server(["--seed", "7", *options], environment=NO_TOKENIZERS) as url:
        for path in PATHS:
            recorded = read_cassette(path)
            if flags(recorded.program) != options:
                continue
            play(url, recorded.program)
            assert [str(one) for one in replay_to_server(recorded, url)] == [], path


def test_a_client_that_computes_something_else_is_noticed() -> None:
    recorded = cassette("tinker-0.38.0", "supervised-steps")
    wrong = {**recorded.values, "losses": recorded.values["losses"][::-1]}
    assert unequal(wrong, replay_to_client(recorded)) != []


def test_a_request_nobody_recorded_is_an_error() -> None:
    recorded = cassette("tinker-0.24.1", "runs")
    shortened = Cassette(recorded.provenance, recorded.values, recorded.interactions[:2])
    with pytest.raises(Exception, match="nobody recorded") as caught:
        replay_to_client(shortened)
    assert isinstance(caught.value, UnexpectedRequestError) or caught.value.__cause__


def test_a_promise_without_an_answer_does_not_hang_the_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorded_server, "LONGEST_HOLD", 0.05)
    recorded = cassette("tinker-0.24.1", "model-info")
    unheard = [one for one in recorded.interactions if one.operation != "retrieve_future"]
    with pytest.raises(Exception, match="nobody recorded"):
        replay_to_client(Cassette(recorded.provenance, recorded.values, unheard))


def test_a_program_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_client, "LONGEST_REPLAY", 0.2)
    stuck = threading.Event()
    story = Situation(lambda api: {"waited": stuck.wait(10)})
    monkeypatch.setitem(STORIES, "model-info", story)
    try:
        with pytest.raises(ReplayDiffersError, match="it hangs"):
            replay_to_client(cassette("tinker-0.24.1", "model-info"))
    finally:
        stuck.set()


def test_a_server_that_never_answers_a_poll_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_server, "PATIENCE", 3.0)
    recorded = cassette("tinker-0.7.0", "forward-only")
    with mock_server(["--seed", "7"], environment=NO_TOKENIZERS) as url:
        queue = {"completion": [{"operation": "forward", "manual": True}]}
        text = yaml.safe_dump({"summary": "never", "queue": queue})
        httpx.put(f"{url}/_mock/scenario", json={"yaml": text}).raise_for_status()
        found = [str(one) for one in replay_to_server(recorded, url)]
    assert len(found) == 1
    assert "retrieve_future: no answer within 3 s, recorded 200" in found[0]


def test_a_recorded_request_that_is_not_sent_is_noticed() -> None:
    recorded = cassette("tinker-0.38.0", "model-info")
    twice = [*recorded.interactions, recorded.interactions[-2]]
    with pytest.raises(ReplayDiffersError, match="only the recorded client asks"):
        replay_to_client(Cassette(recorded.provenance, recorded.values, twice))


def test_a_mutant_of_the_numbers_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Turn.take
    monkeypatch.setattr(Turn, "take", lambda self, count: original(self, count + 1)[1:])
    with pytest.raises(ReplayDiffersError, match="/body/seq_id"):
        replay_to_client(cassette("tinker-0.7.0", "supervised-steps"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sdk_version", "0.0.1"),
        ("body_nulls", "keep"),
        ("body_defaults", "omit"),
        ("body_type", "omit"),
        ("always_sent", {}),
        ("protobuf", "results"),
        ("restore_operation", "create_then_load"),
        ("access_scope", None),
        ("model_info", "on_demand"),
        ("sampler_save", "named"),
        ("ephemeral_kind", None),
        ("asks_client_config", False),
        ("poll_timeout", 10.0),
        ("http_timeout", 10.0),
    ],
)
def test_a_mutant_of_each_choice_of_the_preset_is_caught(
    field: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant = replace(presets.PYTHON_LATEST, **{field: value})
    monkeypatch.setitem(presets.PRESETS, "python-latest", mutant)
    problems = [
        problem
        for program in ("runs", "continue-from-state", "sample-trained-weights", "checkpoints")
        for problem in problems_of(cassette("tinker-0.38.0", program))
    ]
    assert problems


def problems_of(recorded: Cassette) -> list[str]:
    try:
        return replay_problems(recorded)
    except Exception as error:
        return [str(error)]


def test_a_mutant_of_numbers_and_binary_bodies_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    original = replay_client.RecordedServer.handle_async_request

    async def garbled(self: Any, request: Any) -> Any:
        if request.headers.get("content-type") == "application/x-protobuf":
            request.stream = type(request.stream)(b"garbage")
            request._content = b"garbage"
        return await original(self, request)

    monkeypatch.setattr(replay_client.RecordedServer, "handle_async_request", garbled)
    with pytest.raises(ReplayDiffersError, match="no ForwardBackwardRequest"):
        replay_to_client(cassette("tinker-0.38.0", "supervised-steps"))


def test_the_parity_page_is_what_the_replays_show() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0].strip() == tables(FOLDER)
    assert "not explained" not in text
    assert unneeded(FOLDER) == []


def test_vcrpy_reads_them_too(tmp_path: Path) -> None:
    from vcr.cassette import Cassette as VcrCassette

    for path in PATHS:
        plain = tmp_path / "plain.yaml"
        plain.write_text(cassette_text(path), encoding="utf-8")
        loaded = VcrCassette.load(path=str(plain))
        assert len(loaded) == len(read_cassette(path).interactions)


def test_cassettes_hold_no_secret_and_say_where_they_come_from() -> None:
    for path in PATHS:
        text = cassette_text(path)
        assert "x-api-key" not in text
        assert "tml-cassette" not in text
        recorded = read_cassette(path)
        assert {"program", "client", "server", "seed", "recorded"} <= recorded.provenance.keys()
