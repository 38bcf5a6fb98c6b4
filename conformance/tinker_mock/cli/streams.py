"""What a terminal or pipe can take: narrow encodings, and readers that leave early."""

import codecs
import os
import select
import sys
from io import TextIOWrapper

PLAIN = str.maketrans({
    "✓": "+", "✗": "x", "…": "...", "→": "->", "←": "<-", "×": "x", "–": "-", "—": "-", "·": "-",
    "‘": "'", "’": "'", "“": '"', "”": '"', "≤": "<=", "≥": ">=", "≠": "!=", "−": "-",
})  # fmt: skip
CLOSED = 141
"""The exit code of a process that SIGPIPE ended: what a shell shows for `yes | head`."""


def plain(error: UnicodeError) -> tuple[str, int]:
    """Characters the encoding lacks, by their likeness or else escaped (a codecs error handler)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAIN)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


def widen() -> None:
    """Let the standard streams write every character, whatever their encoding."""
    codecs.register_error("tinker-mock", plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and codecs.lookup(stream.encoding).name != "utf-8":
            stream.reconfigure(errors="tinker-mock")


def output_is_closed() -> bool:
    """Whether nobody reads standard output any more; if so, what is left of it is dropped.

    Asked of the descriptor: a broken pipe may also have been a socket's.
    """
    try:
        descriptor = sys.stdout.fileno()
    except OSError:
        return False
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if not any(event & select.POLLERR for _, event in poll.poll(0)):
            return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    return True
