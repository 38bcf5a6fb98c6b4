"""A server that is stopped and started again on its directory is not noticed by an SDK."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.bench.crash import Server
from tests.sdk import onlooking
from tinker_mock.suite.sdk.environment import EnvironmentMissing, newest, process

STEPS = 7
AT = {0, 2, 4}
"""After these steps the server is restarted, while the next one is under way."""


def train(server: Server, version: str, how: signal.Signals | None) -> list[dict[str, Any]]:
    """What a user of that release sees, step by step."""

    def restart(seen: dict[str, Any]) -> None:
        if how is not None and seen["step"] in AT:
            server.end(how)
            server.start()

    server.start()
    seen = onlooking.train(server.port, version, STEPS, restart)
    server.end(signal.SIGTERM)
    return seen


@pytest.mark.parametrize("version", ["0.7.0", "0.24.1", newest()])
def test_training_and_sampling_go_on(version: str, tmp_path: Path) -> None:
    try:
        process(version)
    except EnvironmentMissing as error:
        pytest.skip(str(error))
    where = ("--seed", "5", "--data-dir")
    rolling = train(Server(*where, str(tmp_path / "rolling")), version, signal.SIGTERM)
    steady = train(Server(*where, str(tmp_path / "steady")), version, None)
    assert rolling == steady
    assert len(rolling) == STEPS
