"""The size of a picture, from the head of its file."""

import struct

from tinker_mock.client.errors import invalid

_PNG = b"\x89PNG\r\n\x1a\n"
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # JPEG's start-of-frame markers


def picture_size(data: bytes) -> tuple[str, int, int]:
    """(format, width, height) in pixels. Raises `ValidationError` for what is no PNG or JPEG."""
    if data.startswith(_PNG) and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return "png", width, height
    if data.startswith(b"\xff\xd8"):
        return "jpeg", *_jpeg_size(data)
    raise invalid("the picture is neither a PNG nor a JPEG")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    raise invalid("the JPEG ends before it says how large it is")
