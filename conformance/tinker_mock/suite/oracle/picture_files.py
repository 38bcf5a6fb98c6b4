"""Grey pictures as files: real ones, so that any image processor reads them."""

import struct
import zlib


def png(width: int, height: int, shade: int = 0) -> bytes:
    """A grey picture."""
    rows = zlib.compress((b"\0" + bytes([shade]) * width) * height, 1)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, content in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b"")):
        check = struct.pack(">I", zlib.crc32(name + content))
        parts.append(struct.pack(">I", len(content)) + name + content + check)
    return b"".join(parts)


def jpeg(width: int, height: int) -> bytes:
    """A grey picture, without a difference anywhere: for each block one bit says so, and another
    that nothing else follows."""
    blocks = -(-width // 8) * -(-height // 8)
    size = -(-2 * blocks // 8)
    bits = bytearray(size)
    bits[-1] |= (1 << (8 * size - 2 * blocks)) - 1
    one_code = bytes([1]) + bytes(15) + b"\0"
    segments = (
        (0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"),
        (0xDB, b"\0" + b"\1" * 64),
        (0xC0, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"),
        (0xC4, b"\0" + one_code + b"\x10" + one_code),
        (0xDA, b"\1\1\0\0\x3f\0"),
    )
    parts = [b"\xff\xd8"]
    for marker, content in segments:
        parts.append(struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content)
    return b"".join([*parts, bytes(bits), b"\xff\xd9"])
