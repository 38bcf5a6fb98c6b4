"""The mock as a subprocess: started on a free port, stopped at the end."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

READY = re.compile(r"ready at (\S+)")


class MockDidNotStart(RuntimeError):
    """The mock ended or said nothing; the message has its output."""


@contextmanager
def mock_server(arguments: Sequence[str] = ()) -> Iterator[str]:
    """Run `python -m mockserver` on a free port; gives its base URL."""
    command = [sys.executable, "-m", "mockserver", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )
    assert process.stdout is not None
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            match = READY.search(line)
            if match:
                break
        else:
            raise MockDidNotStart("".join(said[-20:]) or "the mock said nothing")
        yield match[1].rstrip("/")
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
