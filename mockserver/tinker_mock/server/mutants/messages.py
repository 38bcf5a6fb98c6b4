"""Changing protobuf answers field by field."""

from collections.abc import Mapping
from typing import Any

from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.wire.exchange import Exchange


def rewrite_message(content: bytes, exchange: Exchange, changes: Mapping[str, Any]) -> bytes:
    """The message with fields set. Paths are dotted; `*` is every element of a repeated field.

    A value is hex for bytes fields (`+4` appends four zero bytes, `-4` drops the last four);
    null clears the field.
    """
    sample = messages.SampleResponse.FromString(content) if content else None
    output = messages.ForwardBackwardOutput
    message = sample if exchange.result_of == "asample" else output.FromString(content)
    for path, value in changes.items():
        _change([message], path.split("."), value)
    return bytes(message.SerializeToString()) if message is not None else content


def _change(holders: list[Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        found: list[Any] = []
        for holder in holders:
            if part == "*":
                found += list(holder.values()) if hasattr(holder, "values") else list(holder)
            else:
                found.append(getattr(holder, part))
        holders = found
    for holder in holders:
        _put(holder, path[-1], value)


def _put(holder: Any, name: str, value: Any) -> None:
    if isinstance(holder, (dict,)) or hasattr(holder, "keys"):
        if value is None:
            holder.pop(name, None)
        else:
            holder[name] = value
    elif value is None:
        holder.ClearField(name)
    elif isinstance(value, str) and isinstance(getattr(holder, name), bytes):
        setattr(holder, name, _bytes(getattr(holder, name), value))
    elif name == "pop":
        del holder[-1]
    else:
        setattr(holder, name, value)


def _bytes(old: bytes, value: str) -> bytes:
    if value.startswith("+"):
        return old + bytes(int(value[1:]))
    if value.startswith("-"):
        return old[: -int(value[1:])]
    return bytes.fromhex(value)
