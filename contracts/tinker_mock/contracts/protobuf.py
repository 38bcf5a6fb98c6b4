"""The protobuf messages of the wire, and the judgement of their bytes.

The classes are made from `tinker.pb`, the descriptor set that `protoc` wrote for `tinker.proto`,
when one is first asked for. They live in a descriptor pool of their own, so that a process may also
import a real SDK, which registers messages of the same names.
"""

from functools import cache
from typing import Any

from tinker_mock.contracts.locations import CONTRACTS
from tinker_mock.contracts.violations import Violation

DESCRIPTORS = CONTRACTS / "tinker" / "tinker.pb"


class Messages:
    """`messages.SampleResponse` and so on; enum values as `messages.STOP_REASON_STOP`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return _names()[name]
        except KeyError:
            raise AttributeError(f"tinker.proto has no message or value {name!r}") from None

    def __dir__(self) -> list[str]:
        return sorted(_names())


messages = Messages()


def file_descriptor() -> Any:
    """The FileDescriptorProto of `tinker.proto`, comments included (`source_code_info`)."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    (file,) = FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file
    return file


@cache
def _names() -> dict[str, Any]:
    from google.protobuf import descriptor_pool, message_factory

    source = file_descriptor()
    pool = descriptor_pool.DescriptorPool()
    pool.Add(source)
    file = pool.FindFileByName(source.name)
    found: dict[str, Any] = {
        name: message_factory.GetMessageClass(descriptor)
        for name, descriptor in file.message_types_by_name.items()
    }
    for enum in file.enum_types_by_name.values():
        found.update({value.name: value.number for value in enum.values})
    return found


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
