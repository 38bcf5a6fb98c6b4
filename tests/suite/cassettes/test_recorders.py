"""Who records a client, and that both recorders keep the same."""

from dataclasses import replace
from pathlib import Path

import pytest

from tinker_mock.suite.cassettes.cassette import Interaction, read_cassette
from tinker_mock.suite.cassettes.client_process import ClientProcess, reached_by_vcrpy
from tinker_mock.suite.cassettes.recorder import (
    SEED,
    record_client,
    set_up,
    vcrpy_recorded,
)
from tinker_mock.suite.cassettes.stories import tellers
from tinker_mock.suite.cassettes.traffic import journal_of, same_but_for_times, settled
from tinker_mock.suite.mock_process import NO_TOKENIZERS, mock_server

FOLDER = Path(__file__).parents[3] / "fixtures" / "cassettes"
PROGRAMS = ("supervised-steps", "sample-narrowly", "archive-link", "throttled", "unknown-run")


def exchanges(traffic: list[Interaction]) -> list[str]:
    """Their content in an order of its own: vcrpy notes answers, the journal requests."""
    return sorted(map(repr, traffic))


@pytest.mark.parametrize("client", ["python-latest", "tinker-0.7.0"])
def test_vcrpy_and_the_journal_record_the_same_run_alike(client: str, tmp_path: Path) -> None:
    arguments = ["--seed", str(SEED), "--base-url", "http://tinker"]
    server = mock_server(arguments, environment=NO_TOKENIZERS)
    with server as url, ClientProcess(client, url) as process:
        for program in PROGRAMS:
            set_up(url, program)
            file = tmp_path / f"{program}.yaml"
            process.run(program, file)
            recorded = vcrpy_recorded(file)
            assert recorded
            assert exchanges(recorded) == exchanges(journal_of(url)), program


def test_vcrpy_records_whom_it_reaches() -> None:
    reached = [client for client in tellers() if reached_by_vcrpy(client)]
    assert {"openai", "anthropic", "python-latest", "tinkex"} <= set(reached)
    releases = [client for client in reached if client.startswith("tinker-")]
    assert {"tinker-0.7.0", "tinker-0.21.0"} <= set(releases)
    assert {"tinker-0.22.7", "tinker-0.38.0"}.isdisjoint(releases)


@pytest.mark.parametrize("client", ["tinker-0.7.0", "tinker-0.38.0"])
def test_recording_again_changes_no_byte(client: str, tmp_path: Path) -> None:
    programs = ("cancelled-sample", "waiting")
    once, again = tmp_path / "once", tmp_path / "again"
    for folder in (once, again):
        assert len(list(record_client(folder, client, programs))) == len(programs)
    for program in programs:
        first, second = (folder / client / f"{program}.yaml" for folder in (once, again))
        assert first.read_bytes() == second.read_bytes()
        expected = "vcrpy" if reached_by_vcrpy(client) else "journal"
        assert read_cassette(first).provenance["recorder"].split()[0] == expected


def exchange(operation: str, asked: bytes = b"", answered: bytes = b"{}") -> Interaction:
    return Interaction("POST", f"/api/v1/{operation}", {}, asked, 200, {}, answered)


ONE, TWO = b'{"request_id":"one"}', b'{"request_id":"two"}'


def test_what_is_answered_after_its_client_gave_up_is_not_kept() -> None:
    """Whether a poll is answered before its client is gone depends on who is faster."""
    kept = [exchange("asample", answered=ONE), exchange("cancel_future", ONE)]
    assert settled([kept[0], exchange("retrieve_future", ONE), kept[1]]) == kept


def test_polls_follow_what_they_ask_about() -> None:
    """When they are sent is up to a client's threads."""
    first, second = exchange("forward", answered=ONE), exchange("optim_step", answered=TWO)
    polls = [exchange("retrieve_future", ONE), exchange("retrieve_future", TWO)]
    expected = [first, polls[0], second, polls[1]]
    assert settled([first, second, polls[1], polls[0]]) == expected
    assert settled(expected) == expected


def test_only_other_times_are_no_other_recording() -> None:
    recorded = read_cassette(FOLDER / "tinker-0.7.0" / "archive-link.yaml")
    later = replace(
        recorded,
        provenance={**recorded.provenance, "recorded": "2031-01-01"},
        interactions=[
            replace(one, response_body=one.response_body.replace(b"2026-", b"2031-"))
            for one in recorded.interactions
        ],
    )
    assert later != recorded
    assert same_but_for_times(recorded, later)
    assert not same_but_for_times(recorded, replace(later, values={"linked": False}))
    assert not same_but_for_times(recorded, replace(later, interactions=later.interactions[1:]))
