"""A server that is stopped and started again on its directory is not noticed by an SDK."""

import json
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.bench.crash import Server
from tinker_mock.suite.sdk.environment import EnvironmentMissing, newest, process

SCRIPT = Path(__file__).with_name("restart_client.py")
STEPS = 7
AT = {0, 2, 4}
"""After these steps the server is restarted, while the next one is under way."""


def train(server: Server, version: str, how: signal.Signals | None) -> list[dict[str, Any]]:
    """What a user of that release sees, step by step."""
    python, environment = process(version, TINKER_TELEMETRY="0")
    command = [python, str(SCRIPT), f"http://127.0.0.1:{server.port}", str(STEPS)]
    server.start()
    seen = []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        assert user.stderr is not None
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.extend(user.stderr or ()), daemon=True)
        reader.start()
        for line in user.stdout:
            seen.append(json.loads(line))
            if how is not None and seen[-1]["step"] in AT:
                server.end(how)
                server.start()
        reader.join()
    server.end(signal.SIGTERM)
    assert user.returncode == 0, "".join(said)[-3000:]
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
