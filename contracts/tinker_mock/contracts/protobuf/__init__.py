"""The protobuf messages of the wire, and the judgement of their bytes."""

from typing import Any

from tinker_mock.contracts.protobuf.classes import messages
from tinker_mock.contracts.violations import Violation

__all__ = ["check_message", "messages"]


def check_message(names: str | list[str], body: Any) -> list[Violation]:
    """Judge bytes, or an already parsed message, against the message types allowed here."""
    from google.protobuf.message import DecodeError, Message

    allowed = [names] if isinstance(names, str) else list(names)
    if isinstance(body, Message):
        name = body.DESCRIPTOR.name
        if name in allowed:
            return []
        message = f"a {name} where {' or '.join(allowed)} is due"
        return [Violation("", "protobuf", message, allowed, name)]
    if not isinstance(body, (bytes, bytearray, memoryview)):
        message = "a protobuf body is bytes"
        return [Violation("", "protobuf", message, allowed, type(body).__name__)]
    reasons = []
    for name in allowed:
        try:
            getattr(messages, name).FromString(bytes(body))
        except DecodeError as reason:
            reasons.append(f"{name}: {reason}")
        else:
            return []
    message = f"the bytes are no {' or '.join(allowed)} ({'; '.join(reasons)})"
    return [Violation("", "protobuf", message, allowed, f"{len(body)} bytes")]
