"""`client plot metrics.jsonl`: curves of a training run, in the terminal."""

import json
import math
import shutil
import time
from argparse import Namespace
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.errors import invalid

_LEVELS = " ▁▂▃▄▅▆▇█"
_PAUSE = 1.0
_CLEAR = "\x1b[H\x1b[2J"


def plot(terminal: Terminal, arguments: Namespace) -> int:
    """Draw every metric of a file of JSON lines, or those that were named."""
    width = arguments.width or shutil.get_terminal_size((80, 24)).columns
    if not arguments.follow or arguments.file == "-":
        terminal.say(_drawn(terminal, arguments, width))
        return 0
    seen = None
    while True:
        now = Path(arguments.file).stat()
        if now != seen:
            seen = now
            terminal.say(_CLEAR + _drawn(terminal, arguments, width))
        time.sleep(_PAUSE)


def _drawn(terminal: Terminal, arguments: Namespace, width: int) -> str:
    text = terminal.answers.read() if arguments.file == "-" else Path(arguments.file).read_text()
    with_numbers = read_metrics(text.splitlines())
    names = arguments.metric or sorted(with_numbers)
    missing = [name for name in names if name not in with_numbers]
    if missing or not names:
        known = ", ".join(sorted(with_numbers)) or "none"
        raise invalid(f"no metric {', '.join(missing) or 'at all'}; the file has {known}")
    return "\n\n".join(
        "\n".join(chart(name, with_numbers[name], width, arguments.height)) for name in names
    )


def read_metrics(lines: Iterable[str]) -> dict[str, list[float]]:
    """Name → its values, line by line. Raises `ValidationError` for a line that is no object."""
    found: dict[str, list[float]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            body = json.loads(line)
        except ValueError:
            raise invalid(f"line {number} is not JSON: {line.strip()[:60]!r}") from None
        if not isinstance(body, dict):
            raise invalid(f"line {number} is not an object")
        for name, value in body.items():
            number_like = isinstance(value, (int, float)) and not isinstance(value, bool)
            if number_like and name != "step" and math.isfinite(value):
                found.setdefault(name, []).append(float(value))
    return found


def chart(name: str, values: Sequence[float], width: int, height: int) -> list[str]:
    """A title with first, last, least and greatest value; under it a block chart with its scale."""
    low, high = min(values), max(values)
    scale = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"] if height > 1 else [f"{high:.4g}"]
    margin = max(map(len, scale))
    columns = resampled(values, max(1, width - margin - 2))
    span = (high - low) or 1.0
    steps = [round((value - low) / span * (height * 8 - 1)) + 1 for value in columns]
    title = f"{name}: {values[0]:.4g} → {values[-1]:.4g} ({len(values)} steps)"
    rows = []
    for row in range(height):
        floor = (height - 1 - row) * 8
        cells = "".join(_LEVELS[min(8, max(0, step - floor))] for step in steps)
        rows.append(f"{scale[row]:>{margin}} ┤{cells}".rstrip())
    return [title, *rows]


def resampled(values: Sequence[float], width: int) -> list[float]:
    """At most `width` values: means of equal stretches."""
    if len(values) <= width:
        return list(values)
    bounds = [index * len(values) // width for index in range(width + 1)]
    return [sum(values[start:end]) / (end - start) for start, end in pairwise(bounds)]


def sparkline(values: Sequence[float], width: int) -> str:
    """One line of blocks, for a loop that is still running."""
    shown = resampled(values, width)
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(_LEVELS[1 + round((value - low) / span * 7)] for value in shown)
