"""Run one of the scripts beside this file under one release of the SDK."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tinker_mock.suite.sdk.environment import process


def run_script(version: str, name: str, url: str) -> dict[str, Any]:
    """What the script printed as its last line, read as JSON.

    The verdict is that line, not the exit code: newer releases sometimes abort after it, when the
    interpreter is torn down under the threads of their HTTP transport.
    """
    python, variables = process(version, TINKER_BASE_URL=url, TINKER_API_KEY="tml-scripts")
    script = Path(__file__).with_name(name)
    done = subprocess.run(
        [python, str(script)], env=variables, capture_output=True, text=True, timeout=600
    )
    assert done.stdout.startswith("{"), done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))
