"""A mock server of one's own for the time of an audit."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

READY = "tinker-mock ready at "


@contextmanager
def running_mock(*options: str) -> Iterator[str]:
    """Start `python -m mockserver` on a free port; yields its URL.

    Raises RuntimeError with what the server said if it doesn't become ready.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "mockserver", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith(READY):
                yield line.removeprefix(READY).split()[0]
                break
        else:
            raise RuntimeError(f"the mock did not start: {''.join(said)[-500:]}")
    finally:
        process.terminate()
        process.communicate(timeout=30)
