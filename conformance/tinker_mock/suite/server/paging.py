"""Lists that come in pages: walked until what is looked for turns up."""

from collections.abc import Callable
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext

PAGES = 40
"""Requests at most: a server that ignores offset would give its first page for ever."""


def listed(
    context: ScenarioContext,
    operation: str,
    pointer: str,
    wanted: Callable[[Any], bool],
    **query: str,
) -> bool:
    """Whether an entry of the list is wanted; a server may keep thousands, oldest first."""
    offset = 0
    for _ in range(PAGES):
        ask = {"limit": "100", "offset": str(offset), **query}
        entries = context.client.call(operation, query=ask).require().at(pointer)
        if any(wanted(entry) for entry in entries):
            return True
        if not entries:
            break
        offset += len(entries)
    return False


def two_pages(context: ScenarioContext, operation: str, pointer: str) -> tuple[Any, Any]:
    """The first entries of two pages of one, which differ if offset moves on.

    Others may add to the list between the two requests, so equal ones are asked for again.
    """
    pages: list[Any] = []
    for _ in range(3):
        asks = [{"limit": "1", "offset": offset} for offset in ("0", "1")]
        pages = [context.client.call(operation, query=ask).require().at(pointer) for ask in asks]
        if pages[0] != pages[1]:
            break
    return pages[0], pages[1]
