"""`tinker-mock vectors FILE…`: run parity-vector files and say what differs.

An entry is {component, name, input, expected, …}. Components are tokenizers, chat templates, Kimi's
formats and streams; each has a JSON Schema of its input and of what is expected. An entry that does
not fit, or whose component is unknown, is not run and reported as such: which entry, where (a JSON
pointer), which rule.

exit codes: 0 all pass, 1 an entry fails or does not fit, 2 a file cannot be used

examples:
  tinker-mock vectors fixtures/vectors/*.json
  tinker-mock vectors parity.json --select 'kimi_*' --json
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from tinker_mock.suite.vectors.runner import (
    Report,
    VectorFileError,
    load_vectors,
    run_vectors,
    selected,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="GLOB",
        help="only components (or COMPONENT/NAME) that match; may be repeated",
    )


def run(arguments: argparse.Namespace) -> int:
    """0 when every entry passes, 1 when one fails or does not fit, 2 for an unusable file."""
    try:
        entries = [entry for path in arguments.files for entry in load_vectors(path)]
    except VectorFileError as error:
        print(f"tinker-mock vectors: {error}", file=sys.stderr)
        return 2
    wanted = [entry for entry in entries if selected(entry, arguments.select)]
    if not wanted:
        print(
            f"tinker-mock vectors: no entry matches {', '.join(arguments.select)}"
            if entries
            else "tinker-mock vectors: the files hold no entries",
            file=sys.stderr,
        )
        return 2
    report = run_vectors(wanted)
    if arguments.json:
        print(json.dumps(report.as_dict(), ensure_ascii=False, indent=2))
    else:
        print(summary(report))
    return 0 if report.ok else 1


def summary(report: Report) -> str:
    """The run for people: failures, what does not fit, choices by column, one line of counts."""
    lines = [f"FAIL {row['component']}/{row['name']}: {row['reason']}" for row in report.failed]
    unknown = Counter(row["component"] for row in report.unfit if row["pointer"] == "/component")
    lines += [
        f"DOES NOT FIT {name}: unknown component ({count} entries)"
        for name, count in sorted(unknown.items())
    ]
    lines += [
        f"DOES NOT FIT {row['component']}/{row['name']}: "
        f"{row['pointer']}: {row['message']} ({row['rule']})"
        for row in report.unfit
        if row["pointer"] != "/component"
    ]
    chosen = Counter((row["component"], row["column"], row["why"]) for row in report.choices)
    lines += [
        f"chose {column} for {count} of {component}: {why}"
        for (component, column, why), count in sorted(chosen.items())
    ]
    lines.append(
        f"{report.passed} of {report.total} passed, {len(report.failed)} failed, "
        f"{len(report.unfit)} do not fit"
    )
    return "\n".join(lines)
