"""`50.0` is an integer in JSON Schema and a float in Python: make such numbers ints.

A plan is compiled from a schema once and visits only what can hold an integer field. Lists of
plain numbers are left alone; they become arrays anyway.
"""

from collections.abc import Callable
from typing import Any

from tinker_mock.contracts.schema import Schemas

INT64 = 2**63
Coerce = Callable[[Any], None]


def compile_coercion(schemas: Schemas, schema: Any) -> Coerce | None:
    """A function that does so to a valid value, in place; None if nothing in it is an integer."""
    return _plan(schemas, schema, ())


def _plan(schemas: Schemas, schema: Any, above: tuple[int, ...]) -> Coerce | None:
    schema = schemas.resolve(schema)
    if not isinstance(schema, dict) or id(schema) in above:
        return None
    above = (*above, id(schema))
    parts: list[Coerce] = []
    properties = schema.get("properties", {})
    direct = [key for key, node in properties.items() if _is_integer(schemas, node)]
    nested = {
        key: plan
        for key, node in properties.items()
        if key not in direct and (plan := _plan(schemas, node, above)) is not None
    }
    if direct or nested:
        parts.append(_fields(direct, nested))
    items = _plan(schemas, schema["items"], above) if "items" in schema else None
    if items is not None:
        parts.append(_items(items))
    branches = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    parts += [plan for b in branches if (plan := _plan(schemas, b, above)) is not None]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else _each(parts)


def _is_integer(schemas: Schemas, node: Any) -> bool:
    node = schemas.resolve(node)
    kind = node.get("type") if isinstance(node, dict) else None
    return kind == "integer" or (isinstance(kind, list) and "integer" in kind)


def _fields(direct: list[str], nested: dict[str, Coerce]) -> Coerce:
    def coerce(value: Any) -> None:
        if isinstance(value, dict):
            for key in direct:
                found = value.get(key)
                if isinstance(found, float) and found.is_integer() and abs(found) < INT64:
                    value[key] = int(found)
            for key, plan in nested.items():
                if key in value:
                    plan(value[key])

    return coerce


def _items(plan: Coerce) -> Coerce:
    def coerce(value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                plan(item)

    return coerce


def _each(parts: list[Coerce]) -> Coerce:
    def coerce(value: Any) -> None:
        for part in parts:
            part(value)

    return coerce
