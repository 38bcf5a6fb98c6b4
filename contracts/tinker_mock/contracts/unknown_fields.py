"""Fields of a value that its schema doesn't know, found by a plan compiled from the schema once."""

from collections.abc import Callable
from typing import Any

from tinker_mock.contracts.schema import Schema, Schemas

Path = tuple[str | int, ...]
Find = Callable[[Any], list[Path]]
NOTHING: list[Path] = []


def compile_search(schemas: Schemas, schema: Any) -> Find | None:
    """A function that gives the paths of unknown fields, in the order of the value; None if
    nothing could be unknown."""
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
    nested = [(key, plan) for key, plan in plans.items() if plan is not None]
    others = _plan(schemas, rest, above) if isinstance(rest, dict) else None
    closed = bool(properties) and rest is not True and not isinstance(rest, dict)
    if not closed and others is None and not nested:
        return None
    known = properties.keys()
    if not nested and others is None:
        return lambda value: (
            [(key,) for key in value if key not in known]
            if isinstance(value, dict) and not value.keys() <= known
            else NOTHING
        )

    def find(value: Any) -> list[Path]:
        if not isinstance(value, dict):
            return NOTHING
        below = {}
        for key, plan in nested:
            item = value.get(key)
            if item is not None and (found := _inside(plan, item)):
                below[key] = found
        if others is not None:
            rests = [(key, item) for key, item in value.items() if key not in known]
            below |= {key: found for key, item in rests if (found := _inside(others, item))}
        if not below and not (closed and not value.keys() <= known):
            return NOTHING
        found = []
        for key in value:
            if closed and key not in known:
                found.append((key,))
            found += [(key, *path) for path in below.get(key, ())]
        return found

    return find


def _inside(plan: Find, value: Any) -> list[Path]:
    return plan(value) if isinstance(value, (dict, list)) else NOTHING


def _items(plan: Find) -> Find:
    def find(value: Any) -> list[Path]:
        if not (isinstance(value, list) and value and isinstance(value[0], (dict, list))):
            return NOTHING
        return [(index, *path) for index, item in enumerate(value) for path in plan(item)]

    return find


def _branches(schemas: Schemas, alternatives: list[Any], above: tuple[int, ...]) -> Find | None:
    flat = list(schemas.flatten(alternatives))
    plans = {id(branch): _plan(schemas, branch, above) for branch in flat}
    if not any(plans.values()):
        return None
    choose = schemas.chooser(flat)

    def find(value: Any) -> list[Path]:
        plan = plans.get(id(choose(value)))
        return NOTHING if plan is None else plan(value)

    return find
