"""What a command needs of its surroundings, so that tests can bring their own.

Long work shows its progress there: lists as their pages come, downloads with a bar.
"""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from tinker_mock.client.rest.download import Progress
from tinker_mock.client.service import AsyncServiceClient

Page = Callable[[int, int], Awaitable[Any]]


@dataclass(slots=True)
class Terminal:
    """Streams, time, page size, and how to open a client."""

    out: IO[str] = field(default_factory=lambda: sys.stdout)
    err: IO[str] = field(default_factory=lambda: sys.stderr)
    answers: IO[str] = field(default_factory=lambda: sys.stdin)
    open_service: Callable[..., AsyncServiceClient] = AsyncServiceClient
    open_hub: Callable[[str | None], Any] | None = None
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


async def gather(
    terminal: Terminal, what: str, page: Page, items: str, *, limit: int, offset: int = 0
) -> tuple[list[Any], int]:
    """Items and their total number; `limit` 0 is all. Progress goes to the error stream."""
    found: list[Any] = []
    total: int | None = None
    while True:
        ends = [number for number in (limit or None, total) if number is not None]
        missing = min(ends) - len(found) if ends else terminal.page_size
        result = await page(min(terminal.page_size, missing), offset + len(found))
        piece = getattr(result, items)
        found += piece
        total = result.cursor.total_count if result.cursor else len(found)
        wanted = min(limit or total, max(total - offset, 0))
        if total > terminal.page_size or len(found) < wanted:
            terminal.warn(f"Fetching {what}: {len(found)}/{wanted}")
        if not piece or len(found) >= wanted:
            return found, total


@contextmanager
def byte_progress(terminal: Terminal, title: str) -> Iterator[Progress | None]:
    """A bar for a download on the error stream, if that is a terminal."""
    if not terminal.err.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(file=terminal.err), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
