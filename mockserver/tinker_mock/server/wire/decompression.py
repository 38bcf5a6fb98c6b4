"""Bodies decompressed piece by piece: nothing grows beyond what its reader allows."""

import zlib
from collections.abc import Callable, Iterator

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.errors import BadRequest, UnsupportedMediaType

PIECE = 256 * 1024
MOST_MEMBERS = 1000
"""Of a gzip body: each costs a copy of all that follow."""
Hold = Callable[[int, int], None]
"""Told of every piece: its size, and that of all so far. Raises when it is too much."""


def encoding_of(header: str) -> str:
    """The coding that a Content-Encoding names, "" for none; raises UnsupportedMediaType."""
    encoding = header.strip().lower()
    if encoding in ("", "identity"):
        return ""
    if encoding not in PIECES:
        raise UnsupportedMediaType(
            f"Content-Encoding: {encoding!r} is not supported",
            pointer="header:Content-Encoding",
            rule="one of zstd, gzip, deflate, identity",
            fix="send the body uncompressed or as zstd",
        )
    return encoding


def decompressed(content: bytes, encoding: str, hold: Hold) -> bytes:
    """The whole body; raises BadRequest for damage and whatever `hold` raises."""
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in PIECES[encoding](content):
            checkpoint()
            size += len(piece)
            hold(len(piece), size)
            pieces.append(piece)
    except DAMAGE as error:
        raise BadRequest(
            f"body: not valid {encoding}: {error}",
            pointer="header:Content-Encoding",
            rule="the body is compressed as Content-Encoding says",
            fix="compress the whole body in one frame or drop the header",
        ) from error
    return b"".join(pieces)


class Damaged(ValueError):
    """The compressed data end early, or go on where they should end."""


def _inflated(content: bytes, window: int) -> Iterator[bytes]:
    """zlib's formats; a gzip body may have several members."""
    rest, members = content, 0
    while rest:
        members += 1
        if members > MOST_MEMBERS:
            raise Damaged(f"it has more than {MOST_MEMBERS} members")
        source = zlib.decompressobj(window)
        while not source.eof:
            piece = source.decompress(rest, PIECE)
            rest = source.unconsumed_tail
            if not piece and not rest and not source.eof:
                raise Damaged("it is cut off")
            yield piece
        rest = source.unused_data
        if rest and window < GZIP:
            raise Damaged("something follows its end")


def _zstandard(content: bytes) -> Iterator[bytes]:
    import zstandard

    source = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    try:
        declared, size = zstandard.frame_content_size(content), 0
        if 0 < declared <= PIECE:
            yield source.decompress(content, allow_extra_data=False)
            return
        with source.stream_reader(content, read_size=PIECE) as reader:
            while piece := reader.read(PIECE):
                size += len(piece)
                yield piece
        # A reader stops where its input does, whether or not that is the end of the frame.
        if declared < 0:
            source.decompress(content, max_output_size=max(1, size), allow_extra_data=False)
        elif declared != size:
            raise Damaged(f"it has {size} bytes and declares {declared}")
    except zstandard.ZstdError as error:
        raise Damaged(str(error)) from error


GZIP = 16 + zlib.MAX_WBITS
LARGEST_WINDOW = 1 << 27
"""What a decoder has to support at most, by RFC 8878's recommendation times sixteen."""
DAMAGE = (Damaged, zlib.error)
PIECES: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": lambda content: _inflated(content, GZIP),
    "deflate": lambda content: _inflated(content, zlib.MAX_WBITS),
    "zstd": _zstandard,
}
