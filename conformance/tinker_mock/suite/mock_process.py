"""The mock, or its proxy, as a subprocess: started on a free port, stopped at the end."""

import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

READY = re.compile(r"ready at (\S+)")


class MockDidNotStart(RuntimeError):
    """The mock ended or said nothing; the message has its output."""


@contextmanager
def mock_server(arguments: Sequence[str] = (), command: str = "serve") -> Iterator[str]:
    """Run `tinker-mock serve` (or `proxy`) on a free port; gives its base URL."""
    program = [sys.executable, "-m", "tinker_mock.cli", command, "--port", "0", *arguments]
    process = subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )
    assert process.stdout is not None
    # Read to the end, or a server that logs much would stop at a full pipe.
    reader = Thread(target=deque, args=(process.stdout, 0), daemon=True)
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            match = READY.search(line)
            if match:
                break
        else:
            raise MockDidNotStart("".join(said[-20:]) or "the mock said nothing")
        reader.start()
        yield match[1].rstrip("/")
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if reader.ident is not None:
            reader.join()
        process.stdout.close()
