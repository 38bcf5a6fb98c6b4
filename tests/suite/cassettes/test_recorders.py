"""Who records a client, and that both recorders keep the same."""

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
from tinker_mock.suite.cassettes.traffic import journal_of
from tinker_mock.suite.mock_process import NO_TOKENIZERS, mock_server

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
