"""Results for people at a terminal."""

import os
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping
from typing import Any, TextIO

from tinker_mock.suite.core.results import verdict_word

MARKS = {
    "pass": "✓", "fail": "✗", "warn": "!", "error": "E", "n/a": "-", "not-testable": "?",
    "not-judged": "…",
}  # fmt: skip
COLOURS = {"pass": "32", "fail": "31", "warn": "33", "error": "35", "not-testable": "31"}
SHOWN = 40
LATE_SHOWN = 5


class Terminal:
    """Progress while a run goes on, then the findings and one line of summary."""

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self.stream = stream or sys.stdout
        self.quiet = quiet
        self.colour = self.stream.isatty() and not os.environ.get("NO_COLOR")

    def paint(self, text: str, status: str) -> str:
        """Text in the colour of a status, where the stream can show it."""
        code = COLOURS.get(status)
        return f"\033[{code}m{text}\033[0m" if self.colour and code else text

    def line(self, text: str = "") -> None:
        """One line, at once."""
        print(text, file=self.stream, flush=True)

    def note(self, text: str) -> None:
        """One line that a quiet run leaves out."""
        if not self.quiet:
            self.line(text)

    def progress(self, name: str, statuses: list[str]) -> None:
        """One finished scenario."""
        if self.quiet:
            return
        counted = Counter(statuses)
        marks = "  ".join(
            self.paint(f"{MARKS[status]} {counted[status]}", status)
            for status in MARKS
            if counted[status]
        )
        self.line(f"  {name:<40} {marks}")

    def findings(self, results: Mapping[str, Any]) -> None:
        """Everything that is not a pass, the worst first."""
        order = ("error", "fail", "not-testable", "warn")
        rows = [row for row in results["verdicts"] if row["status"] in order]
        rows.sort(key=lambda row: order.index(row["status"]))
        for row in rows[:SHOWN]:
            self.finding(row)
        if len(rows) > SHOWN:
            self.line(f"\n… and {len(rows) - SHOWN} more; the report has them all (--report DIR)")
        late = [row["message"] for row in results["verdicts"] if row["status"] == "not-judged"]
        for message, count in Counter(late).most_common(LATE_SHOWN):
            self.line(f"\n… {count} not judged: {message}")

    def finding(self, row: Mapping[str, Any]) -> None:
        """One verdict with requirement, expected, actual and a curl line."""
        head = f"{MARKS[row['status']]} {row['check']}  [{row['level']}, {row['status']}]"
        self.line()
        self.line(self.paint(head, row["status"]))
        self.line(wrapped("rule", f"{row['text']} ({row['source']})"))
        self.line(wrapped("found", row["message"]))
        if row.get("expected"):
            self.line(wrapped("expected", row["expected"]))
        if row.get("actual"):
            self.line(wrapped("actual", row["actual"]))
        for exchange in row.get("trace", ())[-3:]:
            text = f"{exchange['t_ms']:>8.1f} ms  {exchange['request']} → {exchange['status']}"
            self.line(wrapped("wire", text))
        if row.get("curl"):
            self.line(wrapped("repeat", row["curl"][:400]))

    def summary(self, results: Mapping[str, Any]) -> None:
        """The last line: what was judged, and how it went."""
        counted = results["summary"]
        parts = [f"{counted[status]} {status}" for status in MARKS if counted.get(status)]
        word = verdict_word(results).replace("not ", "NOT ")
        warned, known = counted.get("warn", 0), results.get("known", 0)
        if results["conformant"] and known:
            word += f", {known} known failure{'s' * (known != 1)}"
        if results["conformant"] and warned:
            word += f", {warned} warning{'s' * (warned != 1)}"
        line = f"{results['target']['name']}: {word} — {', '.join(parts)}"
        self.note("")
        self.line(self.paint(line, "pass" if results["conformant"] else "fail"))
        count = len(results["verdicts"])
        self.note(f"{count} check{'s' * (count != 1)} in {results['duration_s']:.1f} s")


def wrapped(label: str, text: str) -> str:
    """A labelled paragraph."""
    first = f"    {label + ':':<10}"
    return textwrap.fill(
        " ".join(str(text).split()) or "-",
        100,
        initial_indent=first,
        subsequent_indent=" " * 14,
        break_long_words=False,
        break_on_hyphens=False,
    )
