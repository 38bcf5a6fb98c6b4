"""Every cassette of the repository, replayed in both directions, and compared with the others."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tinker_mock.suite.cassettes.cassette import Cassette, Interaction, read_cassette
from tinker_mock.suite.cassettes.comparing import unequal
from tinker_mock.suite.cassettes.programs import PROGRAMS
from tinker_mock.suite.cassettes.replay_client import UnexpectedRequestError, replay_to_client
from tinker_mock.suite.cassettes.replay_server import replay_to_server
from tinker_mock.suite.mock_process import mock_server

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "fixtures" / "cassettes"
PATHS = sorted(FOLDER.rglob("*.yaml"))
CLIENTS = ("python-0.7", "python-latest", "tinker-0.38.0", "tinker-0.7.0")
PAGE = ROOT / "docs" / "client" / "parity.md"


@cache
def cassette(client: str, program: str) -> Cassette:
    return read_cassette(FOLDER / client / f"{program}.yaml")


def test_every_client_told_every_story() -> None:
    found = {(path.parent.name, path.stem) for path in PATHS}
    assert found == {(client, program) for client in CLIENTS for program in PROGRAMS}
    assert len(PATHS) >= 40


@pytest.mark.parametrize("client", CLIENTS)
def test_the_reference_client_comes_to_the_recorded_values(client: str) -> None:
    for program in PROGRAMS:
        recorded = cassette(client, program)
        assert recorded.interactions, program
        assert unequal(recorded.values, replay_to_client(recorded)) == [], program


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_clients_come_to_the_same_values(program: str) -> None:
    values = [cassette(client, program).values for client in CLIENTS]
    for other in values[1:]:
        assert unequal(values[0], other) == []


def test_a_live_server_answers_the_recorded_requests_alike() -> None:
    with mock_server(["--seed", "7"]) as url:
        for client in CLIENTS:
            for program in PROGRAMS:
                found = replay_to_server(cassette(client, program), url)
                assert [str(one) for one in found] == [], f"{client}/{program}"


def test_a_client_that_computes_something_else_is_noticed() -> None:
    recorded = cassette("tinker-0.38.0", "supervised-steps")
    wrong = {**recorded.values, "losses": recorded.values["losses"][::-1]}
    assert unequal(wrong, replay_to_client(recorded)) != []


def test_a_request_nobody_recorded_is_an_error() -> None:
    recorded = cassette("python-0.7", "runs")
    shortened = Cassette(recorded.provenance, recorded.values, recorded.interactions[:2])
    with pytest.raises(Exception, match="nobody recorded") as caught:
        replay_to_client(shortened)
    assert isinstance(caught.value, UnexpectedRequestError) or caught.value.__cause__


@pytest.mark.parametrize(
    ("preset", "sdk"), [("python-latest", "tinker-0.38.0"), ("python-0.7", "tinker-0.7.0")]
)
def test_the_wire_differs_from_the_sdk_only_where_the_page_says(preset: str, sdk: str) -> None:
    listed = re.findall(rf"^\| {preset} \| (sdk|ref) \| (\S+ \S+) \|", PAGE.read_text(), re.M)
    assert listed
    seen: set[tuple[str, str]] = set()
    for program in PROGRAMS:
        mine = Counter(map(_call, cassette(preset, program).interactions))
        theirs = Counter(map(_call, cassette(sdk, program).interactions))
        seen |= {("sdk", _short(call)) for call in theirs - mine}
        seen |= {("ref", _short(call)) for call in mine - theirs}
    assert seen == set(listed)


def test_vcrpy_reads_them_too() -> None:
    from vcr.cassette import Cassette as VcrCassette

    for path in PATHS[::11]:
        loaded = VcrCassette.load(path=str(path))
        assert len(loaded) == len(read_cassette(path).interactions)


def test_cassettes_hold_no_secret_and_say_where_they_come_from() -> None:
    for path in PATHS:
        text = path.read_text()
        assert "x-api-key" not in text
        assert "tml-cassette" not in text
        recorded = read_cassette(path)
        assert {"program", "client", "server", "seed", "recorded"} <= recorded.provenance.keys()


def _call(one: Interaction) -> str:
    """Method and path, ids taken out."""
    path = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}[^/?]*", "ID", one.path.partition("/api/v1/")[2])
    return f"{one.method} {path}"


def _short(call: str) -> str:
    """As the page writes a call: without ids, query and names."""
    method, _, path = call.partition(" ")
    parts = [
        part for part in path.partition("?")[0].split("/") if part not in ("ID", "no-such-run")
    ]
    return f"{method} {'/'.join(parts)}"
