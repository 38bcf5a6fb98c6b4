"""A progress bar where somebody looks at it, nothing where nobody does."""

from collections.abc import Iterator
from contextlib import contextmanager

from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.rest.download import Progress


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
