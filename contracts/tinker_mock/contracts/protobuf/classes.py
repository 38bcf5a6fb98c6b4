"""Message classes built from `tinker.proto` when they are first asked for.

They live in a descriptor pool of their own, so that a process may also import a real SDK, which
registers messages of the same names.
"""

from functools import cache
from typing import Any

from tinker_mock.contracts.locations import CONTRACTS

PROTO = CONTRACTS / "tinker" / "tinker.proto"


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


@cache
def _names() -> dict[str, Any]:
    from google.protobuf import descriptor_pool, message_factory

    from tinker_mock.contracts.protobuf.proto_source import read_proto

    source = read_proto(PROTO.read_text(encoding="utf-8"), PROTO.name)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(source.file)
    file = pool.FindFileByName(PROTO.name)
    found: dict[str, Any] = {
        name: message_factory.GetMessageClass(descriptor)
        for name, descriptor in file.message_types_by_name.items()
    }
    for enum in file.enum_types_by_name.values():
        found.update({value.name: value.number for value in enum.values})
    return found


messages = Messages()
