"""Nested values as form fields: `user[name]`, `tags[]`, `items[][id]`."""

from collections.abc import Iterator, Mapping
from typing import Any

Field = tuple[str, str]


def form_fields(values: Mapping[str, Any]) -> list[Field]:
    """Flat (name, text) pairs; a name may come several times. None is empty, booleans as JSON."""
    return [field for name, value in values.items() for field in _flatten(name, value)]


def serialize_form(values: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """The same as a mapping; names that come several times, or end in `[]`, hold a list."""
    form: dict[str, str | list[str]] = {}
    for name, text in form_fields(values):
        held = form.get(name)
        if isinstance(held, list):
            held.append(text)
        elif held is not None:
            form[name] = [held, text]
        else:
            form[name] = [text] if name.endswith("[]") else text
    return form


def _flatten(name: str, value: Any) -> Iterator[Field]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(f"{name}[{key}]", item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _flatten(f"{name}[]", item)
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
