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

    def with_data(self, data: str) -> bytes:
        """The same event around other data."""
        return self.head + f"data: {data}\n\n".encode()


class LineReader:
    """Bytes in, whole lines (with their ends) out."""

    def __init__(self) -> None:
        self.buffer = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Lines that are complete. A CR at the very end waits for its LF."""
        self.buffer += chunk
        lines, at = [], 0
        for match in LINE_END.finditer(self.buffer):
            if match.group() == b"\r" and match.end() == len(self.buffer):
                break
            lines.append(self.buffer[at : match.end()])
            at = match.end()
        self.buffer = self.buffer[at:]
        return lines

    def finish(self) -> list[bytes]:
        """The unterminated last line, if any."""
        rest, self.buffer = self.buffer, b""
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
        data, head = [], b""
        for line in lines:
            name, _, value = line.rstrip(b"\r\n").partition(b":")
            if name == b"data":
                data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
            elif line.strip(b"\r\n"):
                head += line.rstrip(b"\r\n") + b"\n"
        return Frame(b"".join(lines), "\n".join(data) if data else None, head)


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
