"""Files encrypted for age recipients, while they are sent."""

import threading
from collections.abc import Generator, Iterator, Sequence
from queue import Queue
from typing import Any

from tinker_mock.server.errors import OperationFailed
from tinker_mock.server.service.stored_file import StoredFile

SUFFIX = ".age"
AHEAD = 4
"""Pieces that are encrypted before they are asked for."""


def check_recipients(recipients: Sequence[str]) -> None:
    """Raise OperationFailed for a recipient that is no age public key."""
    if recipients:
        _keys(recipients)


def encrypted(file: StoredFile, recipients: Sequence[str]) -> Generator[bytes, None, None]:
    """The pieces of a file encrypted for the recipients.

    Their sum is not known before: the format's header has a part of random length.
    """
    pipe = _Pipe()
    thread = threading.Thread(target=pipe.fill, args=(file, _keys(recipients)), daemon=True)
    thread.start()
    try:
        while (piece := pipe.queue.get()) is not None:
            yield piece
    finally:
        pipe.close()


def _keys(recipients: Sequence[str]) -> list[Any]:
    try:
        import pyrage
    except ModuleNotFoundError as error:
        raise OperationFailed(
            "age_encryption_recipients: this server cannot encrypt; pip install 'tinker-mock[age]'"
        ) from error
    try:
        return [pyrage.x25519.Recipient.from_str(recipient) for recipient in recipients]
    except pyrage.RecipientError as error:
        raise OperationFailed(
            f"age_encryption_recipients: not an age public key: {error}; "
            "send X25519 recipients as `age-keygen -y` prints them (age1…)"
        ) from error


class _Reader:
    """The pieces of a file as what `read` gives."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.rest = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            return bytes(self.rest) + b"".join(self.pieces)
        while not self.rest:
            piece = next(self.pieces, None)
            if piece is None:
                return b""
            self.rest = memoryview(piece)
        taken, self.rest = self.rest[:size], self.rest[size:]
        return bytes(taken)


class _Pipe:
    """What a thread writes and another takes; None ends it."""

    def __init__(self) -> None:
        self.queue: Queue[bytes | None] = Queue(AHEAD)
        self.closed = False

    def fill(self, file: StoredFile, keys: list[Any]) -> None:
        """Encrypt the file into the queue; ends early once nobody takes any more."""
        import pyrage

        try:
            pyrage.encrypt_io(_Reader(file.pieces()), self, keys)
        except Exception:
            if not self.closed:
                raise
        finally:
            self._put(None)

    def write(self, content: bytes) -> int:
        """A piece of the encrypted file."""
        if self.closed:
            raise BrokenPipeError
        self._put(bytes(content))
        return len(content)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Nobody takes any more."""
        self.closed = True
        while not self.queue.empty():
            self.queue.get()

    def _put(self, piece: bytes | None) -> None:
        if not self.closed:
            self.queue.put(piece)
