"""Dataclasses to JSON values, and back by the classes' own annotations.

Unknown fields of an answer are ignored: servers add some with every release. A missing field
without a default, or a value of another type, is a `ValidationError` that names the field.
"""

import base64
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

from tinker_mock.client.config.presets import Preset
from tinker_mock.client.errors import Category, ValidationError

T = TypeVar("T")


def encode(
    value: Any,
    *,
    defaults: bool = True,
    nulls: bool = True,
    time: Callable[[datetime], str] = datetime.isoformat,
) -> Any:
    """Turn dataclasses, mappings, sequences, bytes (base64) and enums into JSON values.

    Without `defaults`, dataclass fields that hold their default are left out; without `nulls`,
    so are those that hold `None`, and null values of mappings.
    """

    def walk(item: Any) -> Any:
        if is_dataclass(item) and not isinstance(item, type):
            return {
                field.name: walk(content)
                for field in fields(item)
                if _is_sent(field, content := getattr(item, field.name), defaults, nulls)
            }
        if isinstance(item, Mapping):
            return {str(k): walk(v) for k, v in item.items() if nulls or v is not None}
        if isinstance(item, (list, tuple)):
            if item and isinstance(item[0], (int, float, str)):  # tokens: no need to walk them
                return list(item)
            return [walk(part) for part in item]
        if isinstance(item, bytes):
            return base64.b64encode(item).decode()
        if isinstance(item, Enum):
            return item.value
        return time(item) if isinstance(item, datetime) else item

    return walk(value)


def encode_for(preset: Preset, value: Any) -> Any:
    """Encode as the preset's client does."""
    return encode(value, defaults=preset.body_defaults == "send", nulls=preset.body_nulls == "keep")


def given(**fields: Any) -> dict[str, Any]:
    """Only the fields that were set: these did not exist in older releases."""
    return {name: value for name, value in fields.items() if value is not None}


def decode(cls: type[T], body: Any, where: str = "") -> T:
    """Build a `cls` from a decoded JSON object. Raises `ValidationError`."""
    where = where or cls.__name__
    if not isinstance(body, Mapping):
        raise _mismatch(where, "an object", body)
    values: dict[str, Any] = {}
    for field, hint in _fields(typing.cast(Any, cls)):
        if field.name in body:
            value = _value(hint, body[field.name], f"{where}.{field.name}")
            if value is None and not _takes_none(hint):
                value = _default(field)
            values[field.name] = value
        elif _default(field) is MISSING:
            raise _mismatch(f"{where}.{field.name}", "a value", None)
    return cls(**values)


def _is_sent(field: Field[Any], content: Any, defaults: bool, nulls: bool) -> bool:
    if not nulls and content is None:
        return False
    if field.metadata.get("omit_null") and content is None:
        return False
    if defaults or field.metadata.get("always"):
        return True
    if field.default_factory is not MISSING:
        return bool(content != field.default_factory())
    return bool(content != field.default)


@cache
def _fields(cls: Any) -> list[tuple[Any, Any]]:
    hints = typing.get_type_hints(cls)
    return [(field, hints[field.name]) for field in fields(cls) if field.init]


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    return MISSING if field.default_factory is MISSING else field.default_factory()


def _takes_none(hint: Any) -> bool:
    return hint is Any or hint is type(None) or type(None) in get_args(hint)


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return value
    if origin in (types.UnionType, typing.Union):
        return _union(args, value, where)
    if value is None:
        return None
    if origin is Literal:
        if value not in args:
            raise _mismatch(where, f"one of {', '.join(map(repr, args))}", value)
        return value
    if origin is Sequence:
        if not isinstance(value, (list, tuple)):
            raise _mismatch(where, "a list", value)
        return [_value(args[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is Mapping:
        if not isinstance(value, Mapping):
            raise _mismatch(where, "an object", value)
        return {k: _value(args[1], item, f"{where}.{k}") for k, item in value.items()}
    return _scalar(hint, value, where)


def _union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in args:
        return None
    choices = [arg for arg in args if arg is not type(None)]
    for choice in choices[:-1]:
        try:
            return _value(choice, value, where)
        except ValidationError:
            continue
    return _value(choices[-1], value, where)


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint):
        build = getattr(hint, "from_wire", None)
        return build(value) if build is not None else decode(typing.cast(type, hint), value, where)
    if hint is datetime:
        return _timestamp(value, where)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError:
            raise _mismatch(where, f"a {hint.__name__}", value) from None
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise _mismatch(where, f"a {hint.__name__}", value)


def _timestamp(value: Any, where: str) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise _mismatch(where, "an ISO 8601 time", value)
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise _mismatch(where, "an ISO 8601 time", value) from None


def _mismatch(where: str, expected: str, value: Any) -> ValidationError:
    shown = repr(value)
    shown = shown if len(shown) < 80 else shown[:77] + "..."
    return ValidationError(f"{where}: expected {expected}, got {shown}", category=Category.SERVER)
