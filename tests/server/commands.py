"""Commands that serve, as processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO
from urllib.parse import urlsplit


@dataclass(frozen=True)
class ServerProcess:
    """A running server: its process id, and what it announced."""

    pid: int
    told: dict[str, str]

    @property
    def url(self) -> str:
        return self.told["TINKER_BASE_URL"]

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0


@contextmanager
def served(*options: str, expected_code: int = 0, **environment: str) -> Iterator[dict[str, str]]:
    """A server process; yields what it announced. Asserts how it ends."""
    with served_process(*options, expected_code=expected_code, **environment) as server:
        yield server.told


@contextmanager
def served_process(
    *options: str, expected_code: int = 0, **environment: str
) -> Iterator[ServerProcess]:
    """The same, with its process."""
    command = [sys.executable, "-m", "tinker_mock.server", "--port", "0", *options]
    last = "SSL_CERT_FILE" if "--tls" in options else "TINKER_API_KEY"
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **environment},
        ) as server,
    ):
        assert server.stdout
        try:
            ready = server.stdout.readline()
            assert ready.startswith("tinker-mock ready at http"), _text(errors)
            told: dict[str, str] = {}
            while last not in told:
                line = server.stdout.readline()
                assert line, _text(errors)
                if line.startswith("export "):
                    name, value = line.removeprefix("export ").strip().split("=", 1)
                    told[name] = value
            yield ServerProcess(server.pid, told)
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                server.kill()  # or the end of the block would wait for it without an end
                raise
        assert server.returncode == expected_code, _text(errors)


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
