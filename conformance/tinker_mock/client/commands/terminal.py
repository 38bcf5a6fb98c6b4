"""What a command needs of its surroundings, so that tests can bring their own."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from tinker_mock.client.service import AsyncServiceClient


@dataclass(slots=True)
class Terminal:
    """Streams, time, page size, and how to open a client."""

    out: IO[str] = field(default_factory=lambda: sys.stdout)
    err: IO[str] = field(default_factory=lambda: sys.stderr)
    answers: IO[str] = field(default_factory=lambda: sys.stdin)
    open_service: Callable[..., AsyncServiceClient] = AsyncServiceClient
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    page_size: int = 1000
    program: str = "tinker-mock"
    version: str = field(default_factory=lambda: version("tinker-mock"))
    commit: str | None = None

    def say(self, text: str = "") -> None:
        print(text, file=self.out)

    def warn(self, text: str) -> None:
        print(text, file=self.err)

    def ask(self, question: str) -> bool:
        """A yes-or-no question; no answer is no."""
        print(question, end="", file=self.out, flush=True)
        return self.answers.readline().strip().lower() in ("y", "yes")

    def service(self, arguments: Any) -> AsyncServiceClient:
        """A client with the options every command has; somebody waits, so it gives up soon."""
        names = ("api_key", "base_url", "preset")
        options = {name: getattr(arguments, name, None) for name in names}
        return self.open_service(
            telemetry_enabled=False, max_retries=2, submission_window=0.0, **options
        )


def write_text(path: str, text: str) -> None:
    """A line in a file of its own."""
    Path(path).write_text(text + "\n", encoding="utf-8")
