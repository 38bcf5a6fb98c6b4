"""Frames of a stream: server-sent events or JSON lines, cut anywhere between two bytes."""

import re
from dataclasses import dataclass

LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Frame:
    """One event (or line): its bytes as they came, its data, and its other field lines."""

    raw: bytes
    data: str | None
    head: bytes = b""

    def with_data(self, data: bytes) -> bytes:
        """The same event around other data."""
        return self.head + b"data: " + data + b"\n\n"


class LineReader:
    """Bytes in, whole lines (with their ends) out; each byte is looked at once."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.open_cr = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines that are complete. A CR at the very end waits for its LF."""
        chunk = self.open_cr + chunk
        self.open_cr = b"\r" if chunk.endswith(b"\r") else b""
        decided = len(chunk) - len(self.open_cr)
        lines, at = [], 0
        for match in LINE_END.finditer(chunk, 0, decided):
            lines.append(b"".join([*self.parts, chunk[at : match.end()]]))
            self.parts.clear()
            at = match.end()
        if at < decided:
            self.parts.append(chunk[at:decided])
        return lines

    def finish(self) -> list[bytes]:
        """The unterminated last line, if any."""
        rest = b"".join([*self.parts, self.open_cr])
        self.parts, self.open_cr = [], b""
        return [rest] if rest else []


class EventReader:
    """Frames of `text/event-stream`. The last event counts even without its blank line."""

    def __init__(self) -> None:
        self.lines = LineReader()
        self.pending: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Frame]:
        """Events that are complete."""
        return self._frames(self.lines.feed(chunk))

    def finish(self) -> list[Frame]:
        """What is left."""
        frames = self._frames(self.lines.finish())
        if self.pending:
            frames.append(self._frame())
        return frames

    def _frames(self, lines: list[bytes]) -> list[Frame]:
        frames = []
        for line in lines:
            self.pending.append(line)
            if not line.strip(b"\r\n"):
                frames.append(self._frame())
        return frames

    def _frame(self) -> Frame:
        lines, self.pending = self.pending, []
        data: list[str] = []
        head: list[bytes] = []
        for line in lines:
            name, _, value = line.rstrip(b"\r\n").partition(b":")
            if name == b"data":
                data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
            elif line.strip(b"\r\n"):
                head.append(line.rstrip(b"\r\n") + b"\n")
        return Frame(b"".join(lines), "\n".join(data) if data else None, b"".join(head))


class JsonLinesReader:
    """Frames of `application/x-ndjson`, each to be sent on as an event."""

    def __init__(self) -> None:
        self.lines = LineReader()

    def feed(self, chunk: bytes) -> list[Frame]:
        """Lines that are complete."""
        return self._frames(self.lines.feed(chunk))

    def finish(self) -> list[Frame]:
        """The last line, with or without its end."""
        return self._frames(self.lines.finish())

    @staticmethod
    def _frames(lines: list[bytes]) -> list[Frame]:
        frames = []
        for line in lines:
            text = line.strip().decode("utf-8", "replace")
            if text.startswith("data:"):  # some providers mix the two formats
                text = text[len("data:") :].strip()
            if text:
                frames.append(Frame(f"data: {text}\n\n".encode(), text))
        return frames
