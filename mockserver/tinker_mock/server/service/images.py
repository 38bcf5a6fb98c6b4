"""The size of a picture, read from the head of its file: PNG, JPEG, GIF or WebP."""

import base64
import binascii
import struct
from collections.abc import Callable, Mapping

from tinker_mock.server.errors import BadRequest

MOST_PIXELS = 178_956_970
"""Where Pillow, which image processors read files with, takes a picture for a bomb."""
HEAD = 64 * 1024
"""Decoded at first; what a JPEG carries before its frame may be longer."""

Size = tuple[int, int]


def picture_size(data: str | bytes, form: str, where: str) -> Size:
    """Width and height of a picture in base64 or bytes. Raises BadRequest for what is no picture
    of that format, and for sizes that nobody decodes; nothing but the head is looked at."""
    try:
        if form not in READERS:
            raise ValueError(f"the formats are {', '.join(READERS)}")
        size = _size_in_head(data, form)
    except binascii.Error as error:
        raise _not_base64(where, error) from error
    except (ValueError, struct.error, IndexError) as error:
        raise BadRequest(
            f"{where}: not a {form} image: {error}",
            pointer=pointer_to(where),
            rule="data holds an image in the format that `format` names",
            fix="send the image file's bytes and its true format",
        ) from error
    if min(size) < 1 or size[0] * size[1] > MOST_PIXELS:
        raise BadRequest(
            f"{where}: its header says {size[0]} x {size[1]} pixels",
            pointer=pointer_to(where),
            rule=f"a picture has between 1 and {MOST_PIXELS} pixels",
            fix="send a smaller picture",
        )
    return size


def head_of(data: str | bytes, where: str) -> bytes:
    """The first bytes of what base64 text, or bytes, stand for; raises BadRequest."""
    try:
        return data[:HEAD] if isinstance(data, bytes) else _head(data, HEAD)
    except (binascii.Error, ValueError) as error:
        raise _not_base64(where, error) from error


def pointer_to(where: str) -> str:
    """The JSON pointer to a field like `data[3].model_input.chunks[0]`."""
    return "/" + where.replace(".", "/").replace("[", "/").replace("]", "")


def _not_base64(where: str, error: ValueError) -> BadRequest:
    return BadRequest(
        f"{where}: not base64: {error}",
        pointer=pointer_to(where),
        rule="bytes travel as standard base64 in JSON",
        fix="encode the bytes with base64",
    )


def _size_in_head(data: str | bytes, form: str) -> Size:
    content = data[:HEAD] if isinstance(data, bytes) else _head(data, HEAD)
    try:
        return READERS[form](content)
    except (struct.error, IndexError):
        if len(data) <= HEAD:
            raise
        return READERS[form](data if isinstance(data, bytes) else _head(data, len(data)))


def _head(text: str, characters: int) -> bytes:
    """The first bytes that base64 text stands for; `characters` is a multiple of 4."""
    head = text[:characters]
    return base64.b64decode(head, validate=True)


def _png_size(content: bytes) -> Size:
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("the PNG signature is missing")
    width, height = struct.unpack_from(">II", content, 16)
    if content[12:16] != b"IHDR":
        raise ValueError("the IHDR chunk is missing")
    return width, height


def _gif_size(content: bytes) -> Size:
    if content[:6] not in (b"GIF87a", b"GIF89a"):
        raise ValueError("the GIF signature is missing")
    width, height = struct.unpack_from("<HH", content, 6)
    return width, height


def _webp_size(content: bytes) -> Size:
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        raise ValueError("the WebP signature is missing")
    kind = content[12:16]
    if kind == b"VP8X":
        wide, high = content[24:27], content[27:30]
        if len(high) < 3:
            raise ValueError("its header is cut off")
        return int.from_bytes(wide, "little") + 1, int.from_bytes(high, "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    raise ValueError("it has no VP8 chunk")


def _jpeg_size(content: bytes) -> Size:
    if not content.startswith(b"\xff\xd8"):
        raise ValueError("the JPEG signature is missing")
    offset = 2
    while True:
        if content[offset] != 0xFF:
            raise ValueError("a JPEG marker is missing")
        marker = content[offset + 1]
        (length,) = struct.unpack_from(">H", content, offset + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, offset + 5)
            return width, height
        offset += 2 + length


READERS: Mapping[str, Callable[[bytes], Size]] = {
    "png": _png_size,
    "jpeg": _jpeg_size,
    "gif": _gif_size,
    "webp": _webp_size,
}
