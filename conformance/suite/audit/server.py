"""A mock server of one's own for the time of an audit."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

READY = "tinker-mock ready at "


@contextmanager
def running_mock(*options: str) -> Iterator[str]:
    """Start `python -m mockserver` on a free port; yields its URL.

    Raises RuntimeError with what the server said if it doesn't become ready.
    """
    command = [sys.executable, "-m", "mockserver", "--port", "0", *options]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        try:
            ready = next((line for line in process.stdout if line.startswith(READY)), None)
            if ready is None:
                log.seek(0)
                raise RuntimeError(f"the mock did not start: {log.read()[-1000:]}")
            yield ready.removeprefix(READY).split()[0]
        finally:
            process.terminate()
            process.communicate(timeout=30)
