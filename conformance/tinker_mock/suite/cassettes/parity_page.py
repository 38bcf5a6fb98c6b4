"""The tables of docs/client/parity.md, made from replays of the SDKs' cassettes."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tinker_mock.suite.cassettes.cassette import read_cassette
from tinker_mock.suite.cassettes.deviations import deviations
from tinker_mock.suite.cassettes.recorded_server import Difference, Side
from tinker_mock.suite.cassettes.replay_client import PRESETS, replayed
from tinker_mock.suite.cassettes.stories import STORIES

BEGIN, END = "<!-- begin parity -->", "<!-- end parity -->"
_SIDES = {
    "recorded": "the SDK alone asks",
    "replayed": "this client alone asks",
    "both": "both ask, content differs",
}


Kind = tuple[str, Side, str, str]
"""Operation, side, pointer, and what differs there."""


def compared(folder: Path) -> dict[str, tuple[int, int, Counter[Kind]]]:
    """Recorded client → programs, requests compared, and how often each difference occurs."""
    found = {}
    for client in PRESETS:
        programs, requests = 0, 0
        counts: Counter[Kind] = Counter()
        for path in sorted((folder / client).glob("*.yaml*")):
            cassette = read_cassette(path)
            if not STORIES[cassette.program].reference:
                continue
            programs += 1
            requests += len(cassette.interactions)
            counts.update(map(_kind, replayed(cassette).differences))
        found[client] = programs, requests, counts
    return found


def tables(folder: Path) -> str:
    """Markdown: what was compared, and every difference with its reason."""
    results = compared(folder)
    lines = ["| recorded | preset | programs | requests | differ |", "|---|---|---|---|---|"]
    for client, (programs, requests, counts) in results.items():
        row = (client, PRESETS[client], programs, requests, sum(counts.values()))
        lines.append(f"| {' | '.join(map(str, row))} |")
    lines += ["", "| recorded | operation | how | times | why |", "|---|---|---|---|---|"]
    for client, (_, _, counts) in results.items():
        for kind, count in sorted(counts.items()):
            operation, side, at, what = kind
            how = _SIDES[side] + (f": `{at}` {what}" if at else "")
            lines.append(f"| {client} | {operation} | {how} | {count} | {_why(client, kind)} |")
    return "\n".join(lines)


def write_page(page: Path, folder: Path) -> None:
    """Put the tables between the page's markers. Raises ValueError if it has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page}: put {BEGIN} and {END} where the tables belong")
    page.write_text(f"{before}{BEGIN}\n\n{tables(folder)}\n\n{END}{after}", encoding="utf-8")


def unneeded(folder: Path) -> list[str]:
    """Listed deviations that no cassette shows."""
    shown = {
        (client, *kind) for client, (_, _, counts) in compared(folder).items() for kind in counts
    }
    return [
        f"{client}: {one.operation} {one.side} {one.at}".rstrip()
        for one in deviations()
        for client in one.clients
        if client in PRESETS and (client, one.operation, one.side, one.at, one.what) not in shown
    ]


def _kind(one: Difference) -> Kind:
    return one.operation, one.side, one.at, one.what if one.side == "both" else ""


def _why(client: str, kind: Kind) -> str:
    explained: Iterable[str] = (
        one.why for one in deviations() if one.explains(client, Difference(*kind))
    )
    return next(iter(explained), "**not explained**")
