"""Writes docs/text-clients.md: `make text-clients`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("clients.py")
PAGE = ROOT / "docs" / "text-clients.md"
HEAD = """# Clients of the text endpoints

Popular clients, unmodified, against the mock. `make text-clients` installs them and renews this
page; the first two run in the tests. The service has no Responses API and answers 404, and so does
the mock.

"""


def outcomes(python: str, *clients: str) -> dict[str, Any]:
    """What the clients of one environment do, by client."""
    with RunningServer(Settings(port=0, seed=5)) as server:
        command = [python, str(SCRIPT), server.url, *clients]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
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


def main() -> int:
    text = page(outcomes(sys.argv[1]))
    PAGE.write_text(text, "utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
