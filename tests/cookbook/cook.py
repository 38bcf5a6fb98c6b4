"""Runs tinker-cookbook, unmodified, against the mock and prints a table.

make cookbook               all runs
make cookbook RUNS=fast     the three fastest
make cookbook RUNS=dpo,resume
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from lessons import LESSONS
from rich.console import Console
from rich.table import Table
from runs import FAST, RECIPES, Kitchen, Wrong
from workspace import ROOT, prepare

from tinker_mock.suite.mock_process import mock_server

RUNS = {**RECIPES, **LESSONS}


def chosen(words: str) -> list[str]:
    """The runs asked for; exits with the list of names for an unknown one."""
    names = {"all": list(RUNS), "fast": list(FAST)}.get(words) or words.split(",")
    unknown = [name for name in names if name not in RUNS]
    if unknown:
        sys.exit(f"unknown runs {unknown}; there are: all, fast, {', '.join(RUNS)}")
    return names


def main() -> int:
    """Run, print, write reports/cookbook.json; 1 if a run went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, required=True, help="the cookbook's interpreter")
    parser.add_argument("--runs", default="all")
    options = parser.parse_args()
    names = chosen(options.runs)
    reports = ROOT / "reports"
    # absolute(), not resolve(): an environment's python is a link to the one outside of it.
    workspace = prepare(reports / "cookbook", options.python.absolute())
    rows = []
    with mock_server(["--models", str(workspace.models_file)]) as address:
        kitchen = Kitchen(workspace, address)
        for name in names:
            rows.append(_run(name, kitchen))
            print(f"  {rows[-1]['verdict']:8} {name} ({rows[-1]['seconds']} s)", flush=True)
    (reports / "cookbook.json").write_text(json.dumps(rows, indent=2) + "\n")
    table = Table("run", "verdict", "seconds", "what came out", title="tinker-cookbook 0.6.1")
    for row in rows:
        table.add_row(*(str(row[key]) for key in ("run", "verdict", "seconds", "told")))
    Console(width=120).print(table)
    return int(any(row["verdict"] != "ok" for row in rows))


def _run(name: str, kitchen: Kitchen) -> dict[str, object]:
    begin = time.monotonic()
    try:
        verdict, told = "ok", RUNS[name](kitchen)
    except Wrong as wrong:
        verdict, told = "wrong", str(wrong)
    seconds = round(time.monotonic() - begin, 1)
    return {"run": name, "verdict": verdict, "seconds": seconds, "told": told}


if __name__ == "__main__":
    sys.exit(main())
