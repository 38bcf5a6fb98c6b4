"""The mock, or its proxy, as a process of its own: on a free port, stopped at the end."""

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Thread

READY = re.compile(r"ready at (\S+)")


class MockDidNotStart(RuntimeError):
    """The mock ended before it was ready; the message has its output."""


NO_TOKENIZERS = dict.fromkeys(("TINKER_MOCK_TOKENIZERS", "HF_HOME", "HF_HUB_CACHE"), os.devnull)
"""A machine without tokenizers: stand-ins are the same everywhere, and so is what is sampled."""


@contextmanager
def mock_server(
    arguments: Sequence[str] = (),
    command: str = "serve",
    environment: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run `tinker-mock serve` (or `proxy`) on a free port; gives its base URL.

    `environment` is added to that of this process.

    Raises MockDidNotStart with what it printed if it does not become ready.
    """
    # -P: the directory we are started in may have packages named like those we import.
    program = [sys.executable, "-P", "-m", "tinker_mock.cli", command, "--port", "0"]
    program += ["--seed", "0", *arguments]  # the same every time, unless another seed is asked for
    process = subprocess.Popen(
        program,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
        env={**os.environ, **(environment or {})},
    )
    assert process.stdout is not None
    # Read to the end, or a server that logs much would stop at a full pipe.
    reader = Thread(target=deque, args=(process.stdout, 0), daemon=True)
    try:
        output = []
        for line in process.stdout:
            output.append(line)
            match = READY.search(line)
            if match:
                break
        else:
            raise MockDidNotStart("".join(output[-20:]) or "the mock printed nothing")
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
