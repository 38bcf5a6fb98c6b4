"""Dataclasses to JSON values."""

import base64
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from ..presets import Preset


def encode(value: Any, *, defaults: bool = True, nulls: bool = True) -> Any:
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
        return item.isoformat() if isinstance(item, datetime) else item

    return walk(value)


def encode_for(preset: Preset, value: Any) -> Any:
    """Encode as the preset's client does."""
    return encode(value, defaults=preset.body_defaults == "send", nulls=preset.body_nulls == "keep")


def _is_sent(field: Field[Any], content: Any, defaults: bool, nulls: bool) -> bool:
    if not nulls and content is None:
        return False
    if field.metadata.get("omit_null") and content is None:
        return False
    if defaults:
        return True
    if field.default_factory is not MISSING:
        return bool(content != field.default_factory())
    return bool(content != field.default)
