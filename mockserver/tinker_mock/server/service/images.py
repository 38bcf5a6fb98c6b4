"""How many positions a picture or a sound takes in a prompt."""

import base64
import binascii
import math
import struct
from typing import Any

from tinker_mock.server.errors import BadRequest

PATCH = 28
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
POINTER_TOKENS = 256
"""Positions of an image asset pointer without `expected_tokens`: nothing is fetched."""


def image_positions(chunk: dict[str, Any], where: str) -> int:
    """Positions of an image chunk: its `expected_tokens`, else one per 28 × 28 pixels."""
    content = _bytes(chunk["data"], f"{where}.data")
    size = _size(content, chunk["format"], where)
    expected = chunk.get("expected_tokens")
    if expected is not None:
        return int(expected)
    return max(1, math.ceil(size[0] / PATCH) * math.ceil(size[1] / PATCH))


def pointer_positions(chunk: dict[str, Any]) -> int:
    """Positions of an image asset pointer."""
    expected = chunk.get("expected_tokens")
    return POINTER_TOKENS if expected is None else int(expected)


def dmel_positions(chunk: dict[str, Any], where: str) -> int:
    """Positions of a dmel chunk: the first dimension of its tensor container."""
    content = _bytes(chunk["dmel"], f"{where}.dmel")
    try:
        return container_shape(content)[0]
    except (ValueError, IndexError) as error:
        raise BadRequest(
            f"{where}.dmel: {error}",
            pointer=_pointer(f"{where}.dmel"),
            rule="a serialized tensor container with at least one dimension",
            fix="send the bytes the audio encoder wrote",
        ) from error


def container_shape(content: bytes) -> tuple[int, ...]:
    """The shape in a tensor container's header: [254] dtype ndim dim… with varint numbers."""
    offset = 1 if content[:1] == b"\xfe" else 0
    if len(content) <= offset or content[offset] > 7:
        raise ValueError("no tensor container header")
    rank, offset = _varint(content, offset + 1)
    shape = []
    for _ in range(rank):
        length, offset = _varint(content, offset)
        shape.append(length)
    return tuple(shape)


def _varint(content: bytes, offset: int) -> tuple[int, int]:
    value, shift = 0, 0
    while offset < len(content) and shift < 64:
        byte = content[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7
    raise ValueError("the tensor container's header is cut off")


def _bytes(data: str | bytes, where: str) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(
            f"{where}: not base64: {error}",
            pointer=_pointer(where),
            rule="bytes travel as standard base64 in JSON",
            fix="encode the bytes with base64",
        ) from error


def _size(content: bytes, form: str, where: str) -> tuple[int, int]:
    try:
        return _png_size(content) if form == "png" else _jpeg_size(content)
    except (ValueError, struct.error, IndexError) as error:
        raise BadRequest(
            f"{where}.data: not a {form} image: {error}",
            pointer=_pointer(f"{where}.data"),
            rule="data holds an image in the format that `format` names",
            fix="send the image file's bytes and its true format",
        ) from error


def _png_size(content: bytes) -> tuple[int, int]:
    if not content.startswith(PNG_SIGNATURE):
        raise ValueError("the PNG signature is missing")
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _jpeg_size(content: bytes) -> tuple[int, int]:
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


def _pointer(where: str) -> str:
    return "/" + where.replace(".", "/").replace("[", "/").replace("]", "")
