"""How much a protobuf message will be, before it is parsed: two bytes may stand for a message of a
hundred."""

from collections.abc import Iterator
from typing import Any

from tinker_mock.server.budget import checkpoint

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LOOK = 1024
"""Fields between two checkpoints."""


class Unreadable(ValueError):
    """The bytes are no message: the parser will say what is wrong."""


def larger_than(most: int, content: bytes, descriptor: Any) -> bool:
    """Whether there are more messages and repeated numbers inside than so many."""
    count = 0
    try:
        for place, one in enumerate(_elements(content, descriptor)):
            count += one
            if count > most:
                return True
            if place % LOOK == 0:
                checkpoint()
    except (Unreadable, IndexError):
        return False
    return False


def _elements(content: bytes, descriptor: Any) -> Iterator[int]:
    """How many elements each field holds, messages in messages included."""
    waiting = [(0, len(content), descriptor)]
    while waiting:
        place, end, kind = waiting.pop()
        while place < end:
            key, place = _varint(content, place)
            field, wire = kind.fields_by_number.get(key >> 3), key & 7
            if wire == VARINT:
                _, place = _varint(content, place)
            elif wire in (FIXED64, FIXED32):
                place += 8 if wire == FIXED64 else 4
            elif wire == BYTES:
                size, place = _varint(content, place)
                if place + size > end:
                    raise Unreadable
                if field is not None and field.message_type is not None:
                    waiting.append((place, place + size, field.message_type))
                elif field is not None and field.type not in (field.TYPE_BYTES, field.TYPE_STRING):
                    yield size
                place += size
            else:
                raise Unreadable
            yield 1


def _varint(content: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = content[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
        if shift > 63:
            raise Unreadable
