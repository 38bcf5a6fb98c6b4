"""A client that sends any field otherwise than the recorded client did is found out."""

from pathlib import Path

import pytest

from tests.suite.cassettes.mutations import Field, MutatingServer, NotingServer
from tinker_mock.suite.cassettes import recorded_server
from tinker_mock.suite.cassettes.cassette import Cassette, cassette_paths, read_cassette
from tinker_mock.suite.cassettes.comparing import unequal
from tinker_mock.suite.cassettes.recorded_server import RecordedServer
from tinker_mock.suite.cassettes.replay_client import PRESETS, replay_to_client
from tinker_mock.suite.cassettes.stories import STORIES

FOLDER = Path(__file__).parents[3] / "fixtures" / "cassettes"
UNHEARD = ("cancelled-sample",)
"""Programs whose client gives up before its poll is answered: such polls are not recorded."""
LEAST = {"tinker-0.7.0": 220, "tinker-0.24.1": 290, "tinker-0.38.0": 300}


def sent_fields(client: str) -> dict[Field, Cassette]:
    """Every field that the client's preset sends, and the shortest recording that it is in."""
    found: dict[Field, Cassette] = {}
    cassettes = [read_cassette(path) for path in cassette_paths(FOLDER / client)]
    for cassette in sorted(cassettes, key=lambda one: len(one.interactions)):
        if STORIES[cassette.program].reference and cassette.program not in UNHEARD:
            server = NotingServer(cassette)
            assert replay_to_client(cassette, server=server) is not None
            for field in server.sent:
                found.setdefault(field, cassette)
    return found


def noticed(cassette: Cassette, server: RecordedServer) -> bool:
    try:
        return unequal(cassette.values, replay_to_client(cassette, server=server)) != []
    except Exception:
        return True


@pytest.mark.parametrize("client", PRESETS)
@pytest.mark.parametrize("drop", [True, False], ids=["left out", "changed"])
def test_a_mutant_of_every_field_is_caught(
    client: str, drop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_server, "LONGEST_HOLD", 0.1)
    fields = sent_fields(client)
    assert len(fields) >= LEAST[client]
    survivors = [
        str(field)
        for field, cassette in sorted(fields.items())
        if not noticed(cassette, MutatingServer(cassette, field, drop=drop))
    ]
    assert survivors == []
