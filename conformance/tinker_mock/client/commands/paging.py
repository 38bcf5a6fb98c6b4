"""Lists that come in pages, gathered to a limit."""

from collections.abc import Awaitable, Callable
from typing import Any

from tinker_mock.client.commands.terminal import Terminal

Page = Callable[[int, int], Awaitable[Any]]


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
