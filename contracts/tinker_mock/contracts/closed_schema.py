"""Schemas that allow no fields but those they name.

What fits such a schema fits the one it was made of, and has no field that the contract does not
know: the usual message needs one look.
"""

from typing import Any

from tinker_mock.contracts.schema import Schemas

ENTANGLED = frozenset(
    ("allOf", "dependentSchemas", "if", "not", "oneOf", "patternProperties", "propertyNames")
)
"""Keywords whose parts know each other's fields, or make the whole laxer when they are stricter."""
VALUES = frozenset(("const", "default", "enum", "example", "examples"))
"""Keywords that are followed by no schema."""


def closable(schemas: Schemas, schema: Any) -> bool:
    """Whether closing what is in a schema, or is referred to, makes it stricter, nothing else."""
    seen: set[int] = set()

    def plain(node: Any) -> bool:
        if isinstance(node, list):
            return all(map(plain, node))
        if not isinstance(node, dict) or id(node) in seen:
            return True
        seen.add(id(node))
        if not ENTANGLED.isdisjoint(node):
            return False
        return all(map(plain, node.values())) and plain(schemas.resolve(node))

    return plain(schema)


def closed(node: Any) -> Any:
    """The same with every object that names its fields closed to others."""
    if isinstance(node, list):
        return [closed(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    names = isinstance(node.get("properties"), dict) and bool(node["properties"])
    # Beside an object's fields stands which of them go together, without the others.
    kept = VALUES | {"anyOf"} if names else VALUES
    found = {key: inner if key in kept else closed(inner) for key, inner in node.items()}
    if names:
        found.setdefault("additionalProperties", False)
    return found
