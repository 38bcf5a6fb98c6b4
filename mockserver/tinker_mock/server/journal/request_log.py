"""A line a request on a terminal, or a JSON object a line for programs.

The lines are made and written on a thread of their own: a terminal that nobody scrolls must not
stop the server.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from queue import Full, Queue
from typing import TextIO

import orjson

from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.journal.ring import Journal

LOGS = ("auto", "text", "json", "off")
COLOURS = {"ok": "32", "request": "31", "response": "35", "refused": "33", "fault": "36"}
"""SGR numbers by verdict; `gone` and others stay plain."""
MARKS = {"ok": "✓", "request": "✗", "response": "✗", "refused": "!", "fault": "~"}
BLAME = {"request": "client broke the contract", "response": "server broke the contract"}
ADVISED = {"request", "response", "refused"}
ADVICE_WIDTH = 300
BACKLOG = 10_000
"""Exchanges that wait for a terminal; what comes beyond is not shown, and said so."""


def text_line(entry: Entry, *, colour: bool) -> str:
    """Time, status, milliseconds, operation and client; below it, what is wrong and the fix."""
    at = datetime.fromtimestamp(entry.answered_at or entry.received_at)
    what = entry.operation or f"{entry.method} {entry.path}"
    mark, code = MARKS.get(entry.verdict, "·"), COLOURS.get(entry.verdict, "")
    status = str(entry.status or "—")
    head = f"{mark} {status:>3}"
    if colour and code:
        head = f"\x1b[{code}m{head}\x1b[0m"
    line = f"{at:%H:%M:%S} {head} {entry.milliseconds:>7.0f} ms  {what:<28} {entry.client}".rstrip()
    if entry.effects:
        line += f"  [{entry.effects}]"
    return "\n".join([line, *_advice(entry)])


def _advice(entry: Entry) -> Iterator[str]:
    blame = BLAME.get(entry.verdict, "")
    for violation in entry.violations if entry.verdict in ADVISED else ():
        fix = violation.get("fix")
        where = violation.get("pointer") or ""
        said = f"{where}: {violation['message']}" if where and blame else violation["message"]
        told = f"{blame}: {said}" if blame else said
        yield f"           {told[:ADVICE_WIDTH]}" + (f"; fix: {fix}" if fix else "")


def json_line(entry: Entry) -> str:
    """The entry without headers and bodies, which `/_mock/journal` has."""
    return orjson.dumps(entry.line()).decode()


def wanted(log: str, stream: TextIO) -> str:
    """What `auto` means on this stream: text on a terminal, nothing in a pipe."""
    return ("text" if stream.isatty() else "off") if log == "auto" else log


@contextmanager
def request_log(journal: Journal, log: str, stream: TextIO | None = None) -> Iterator[None]:
    """Write a line for every exchange that ends while the context is open. `log`: of LOGS."""
    stream = stream or sys.stderr
    kind = wanted(log, stream)
    if kind == "off":
        yield
        return
    colour = stream.isatty() and not os.environ.get("NO_COLOR")
    ended: Queue[Entry | None] = Queue(BACKLOG)
    missed = 0

    def note(entry: Entry) -> None:
        nonlocal missed
        try:
            ended.put_nowait(entry)
        except Full:
            missed += 1

    def lines(entry: Entry) -> Iterator[str]:
        nonlocal missed
        left_out, missed = missed, 0
        if left_out and kind == "json":
            yield orjson.dumps({"left_out": left_out}).decode()
        elif left_out:
            yield f"… {left_out} requests are not shown: nobody read this in time"
        yield json_line(entry) if kind == "json" else text_line(entry, colour=colour)

    def write() -> None:
        while (entry := ended.get()) is not None:
            try:
                for line in lines(entry):
                    stream.write(line + "\n")
                stream.flush()
            except (OSError, ValueError):  # nobody reads any more
                return

    writer = threading.Thread(target=write, name="request-log", daemon=True)
    writer.start()
    journal.listeners.append(note)
    try:
        yield
    finally:
        journal.listeners.remove(note)
        with suppress(Full):  # the terminal hangs: its thread is a daemon
            ended.put(None, timeout=1)
        writer.join(timeout=1)
