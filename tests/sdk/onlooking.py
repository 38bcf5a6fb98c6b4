"""A user of a real SDK who trains, and a test that looks on and steps in."""

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinker_mock.suite.sdk.environment import process

SCRIPT = Path(__file__).with_name("restart_client.py")


def train(
    port: int, version: str, steps: int, after: Callable[[dict[str, Any]], None]
) -> list[dict[str, Any]]:
    """What a user of that release sees, step by step; `after` is called with each."""
    python, environment = process(version, TINKER_TELEMETRY="0")
    command = [python, str(SCRIPT), f"http://127.0.0.1:{port}", str(steps)]
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
            after(seen[-1])
        reader.join()
    # Not the exit code: newer releases sometimes abort after the last line (see running.py).
    assert len(seen) == steps, "".join(said)[-3000:]
    return seen
