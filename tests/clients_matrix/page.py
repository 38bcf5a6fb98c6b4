"""Writes docs/text-clients.md: `make text-clients`."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("clients.py")
NPM_SCRIPT = Path(__file__).with_name("clients.mjs")
PAGE = ROOT / "docs" / "text-clients.md"
HEAD = """# Clients of the text endpoints

Popular clients, unmodified, against the mock. `make text-clients` installs them and renews this
page; the first two run in the tests, and so do npm's where they are installed. The service has no
Responses API and answers 404, and so does the mock.

"""


def outcomes(python: str, *clients: str) -> dict[str, Any]:
    """What the clients of one environment do, by client."""
    return _told(lambda url: [python, str(SCRIPT), url, *clients], ROOT)


def npm_outcomes(folder: Path) -> dict[str, Any]:
    """What npm's clients do that are installed in a folder."""
    return _told(lambda url: ["node", str(NPM_SCRIPT), url], folder)


def _told(command: Callable[[str], list[str]], folder: Path) -> dict[str, Any]:
    with RunningServer(Settings(port=0, seed=5)) as server:
        done = subprocess.run(
            command(server.url), cwd=folder, capture_output=True, text=True, timeout=600
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def page(found: dict[str, Any]) -> str:
    """The table, and what the cells that do not work say."""
    names = list(dict.fromkeys(name for one in found.values() for name in one["features"]))
    lines = [f"| client | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    notes = []
    for client, one in found.items():
        cells = []
        for name in names:
            said = one["features"].get(name)
            cells.append("" if said is None else "✓" if said == "works" else "✗")
            if said not in (None, "works"):
                notes.append(f"- {client}, {name}: `{said}`")
        lines.append(f"| {client} {one['release']} | {' | '.join(cells)} |")
    text = HEAD + "\n".join(lines) + "\n"
    return text + ("\nWhat does not work, in the client's words:\n\n" + "\n".join(notes) + "\n"
                   if notes else "")  # fmt: skip


def told_before(text: str, known: set[str]) -> dict[str, Any]:
    """What a page says of other clients than these."""
    rows = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ")]
    said = {(c, f): s for c, f, s in re.findall(r"^- (.+?), (.+?): `(.*)`$", text, re.MULTILINE)}
    found: dict[str, Any] = {}
    for (title, *cells), names in ((row, rows[0][1:]) for row in rows[1:]):
        client, _, release = title.rpartition(" ")
        outcomes = {
            name: "works" if cell == "✓" else said[client, name]
            for name, cell in zip(names, cells, strict=True)
            if cell.strip()
        }
        if client not in known:
            found[client] = {"release": release, "features": outcomes}
    return found


def main() -> int:
    """`page.py PYTHON [FOLDER]`: the interpreter and the folder that have the clients."""
    python, *folders = sys.argv[1:]
    found = outcomes(python)
    for folder in folders:
        found |= npm_outcomes(Path(folder))
    if not folders:
        found |= told_before(PAGE.read_text("utf-8"), set(found))
    text = page(found)
    PAGE.write_text(text, "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
