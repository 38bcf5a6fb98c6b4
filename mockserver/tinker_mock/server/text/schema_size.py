"""How much a JSON schema asks of whoever holds a value against it, its references followed.

Twenty lines of references to references can stand for a million subschemas: what is to be judged
by a schema from a request is measured first.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tinker_mock.contracts.pointer import find

MOST_SUBSCHEMAS = 5_000
VALUES = ("const", "enum", "default", "examples")
"""Keywords whose content is no schema."""


def too_large(schema: Mapping[str, Any]) -> bool:
    """Whether there are more than MOST_SUBSCHEMAS, each counted as often as it is reached."""
    count = 0
    branches: list[Iterator[tuple[Any, str]]] = [iter([(schema, "")])]
    followed: list[str] = [""]  # the reference that each branch came by
    while branches:
        step = next(branches[-1], None)
        if step is None:
            branches.pop()
            followed.pop()
            continue
        node, reference = step
        count += 1
        if count > MOST_SUBSCHEMAS:
            return True
        if not (reference and reference in followed):
            branches.append(_inner(schema, node))
            followed.append(reference)
    return False


def _inner(root: Mapping[str, Any], node: Any) -> Iterator[tuple[Any, str]]:
    """What is directly inside, and by which reference."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield find(root, value.removeprefix("#"), {}), value
            elif name not in VALUES and isinstance(value, Mapping | list):
                yield value, ""
    elif isinstance(node, list):
        for value in node:
            if isinstance(value, Mapping | list):
                yield value, ""
