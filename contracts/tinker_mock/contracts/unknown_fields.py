"""Fields of a value that its schema doesn't know, found by a plan compiled from the schema once."""

from collections.abc import Callable
from typing import Any

from tinker_mock.contracts.schema import Schema, Schemas

Path = tuple[str | int, ...]
Find = Callable[[Any, Path, list[Path]], None]


def compile_search(schemas: Schemas, schema: Any) -> Find | None:
    """A function that appends the paths of unknown fields; None if nothing could be unknown."""
    return _plan(schemas, schema, ())


def _plan(schemas: Schemas, schema: Any, above: tuple[int, ...]) -> Find | None:
    schema = schemas.resolve(schema)
    if not isinstance(schema, dict) or id(schema) in above:
        return None
    above = (*above, id(schema))
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives and "properties" not in schema:
        return _branches(schemas, alternatives, above)
    if "properties" in schema or isinstance(schema.get("additionalProperties"), dict):
        return _object(schemas, schema, above)
    items = _plan(schemas, schema["items"], above) if "items" in schema else None
    return None if items is None else _items(items)


def _object(schemas: Schemas, schema: Schema, above: tuple[int, ...]) -> Find | None:
    properties: dict[str, Any] = schema.get("properties", {})
    rest = schema.get("additionalProperties")
    plans = {key: _plan(schemas, node, above) for key, node in properties.items()}
    others = _plan(schemas, rest, above) if isinstance(rest, dict) else None
    closed = bool(properties) and rest is not True and not isinstance(rest, dict)
    if not closed and others is None and not any(plans.values()):
        return None

    def find(value: Any, path: Path, found: list[Path]) -> None:
        if not isinstance(value, dict):
            return
        for key, item in value.items():
            if key in plans:
                plan = plans[key]
            elif closed:
                found.append((*path, key))
                continue
            else:
                plan = others
            if plan is not None and isinstance(item, (dict, list)):
                plan(item, (*path, key), found)

    return find


def _items(plan: Find) -> Find:
    def find(value: Any, path: Path, found: list[Path]) -> None:
        if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
            for index, item in enumerate(value):
                plan(item, (*path, index), found)

    return find


def _branches(schemas: Schemas, alternatives: list[Any], above: tuple[int, ...]) -> Find | None:
    flat = list(schemas.flatten(alternatives))
    plans = {id(branch): _plan(schemas, branch, above) for branch in flat}
    if not any(plans.values()):
        return None

    def find(value: Any, path: Path, found: list[Path]) -> None:
        branch = schemas.choose(flat, value)
        plan = plans.get(id(branch))
        if plan is not None:
            plan(value, path, found)

    return find
