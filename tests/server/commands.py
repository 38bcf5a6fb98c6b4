"""Commands that serve, as processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def served(*options: str, expected_code: int = 0, **environment: str) -> Iterator[dict[str, str]]:
    """A server process; yields what it announced. Asserts how it ends."""
    command = [sys.executable, "-m", "tinker_mock.server", "--port", "0", *options]
    last = "SSL_CERT_FILE" if "--tls" in options else "TINKER_API_KEY"
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as server:
        assert server.stdout
        try:
            ready = server.stdout.readline()
            assert ready.startswith("tinker-mock ready at http"), server.communicate()
            told: dict[str, str] = {}
            while last not in told:
                line = server.stdout.readline()
                assert line, server.communicate()
                if line.startswith("export "):
                    name, value = line.removeprefix("export ").strip().split("=", 1)
                    told[name] = value
            yield told
        finally:
            server.send_signal(signal.SIGTERM)
            _, said = server.communicate(timeout=60)
        assert server.returncode == expected_code, said
