"""`tinker-mock audit sdk`: real SDK releases against the mock, and the matrix of what works."""

import argparse
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

from conformance.suite.audit import environment
from conformance.suite.audit.column import Column, Run
from conformance.suite.audit.matrix import Matrix, write_between_markers
from conformance.suite.audit.server import TOKENIZED_MODEL, running_mock

BREAKPOINTS = ("0.7.0", "0.16.1", "0.18.2", "0.20.0", "0.24.1", "0.25.0", "0.30.4", "0.38.0")
"""The releases on both sides of the wire's breaking changes: the reduced audit."""


def audit(releases: list[str], url: str, jobs: int = 2, tokenized_model: str = "") -> Matrix:
    """Run the workload of every release against one server, `jobs` of them at a time.

    `tokenized_model` is a model on offer whose `tokenizer_id` is a local directory.
    """
    texts: dict[str, str] = {}

    def one(release: str) -> Column:
        run = Run(release, url, tokenized_model)
        column = run.finish()
        texts.update(run.texts)
        print(f"{release}: {len(column.cells)} steps, {column.seconds} s", flush=True)
        return column

    with ThreadPoolExecutor(jobs) as pool:
        columns = list(pool.map(one, releases))
    return Matrix(columns, texts)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="default: the breakpoints")
    parser.add_argument("--all", action="store_true", help="every release in releases.yaml")
    parser.add_argument("--target", metavar="URL", help="a running mock instead of a new one")
    parser.add_argument("--jobs", type=int, default=3, help="releases at the same time")
    parser.add_argument("--report", type=Path, default=Path("reports/audit"), metavar="DIR")
    parser.add_argument(
        "--readme", type=Path, metavar="FILE", help="put the matrix between FILE's markers"
    )


def run(arguments: argparse.Namespace) -> int:
    """Audit, print and save; 1 if a step failed or an exchange broke the contract."""
    known = list(environment.releases())
    releases = known if arguments.all else (arguments.versions or list(BREAKPOINTS))
    server = nullcontext(arguments.target) if arguments.target else running_mock()
    tokenized_model = "" if arguments.target else TOKENIZED_MODEL
    with server as url:
        matrix = audit(releases, url, arguments.jobs, tokenized_model)
    matrix.save(arguments.report)
    print(matrix.as_text())
    for line in matrix.failures():
        print(f"✗ {line}")
    print(matrix.summary())
    print(f"saved in {arguments.report}: audit.json, audit.md, audit.html")
    if arguments.readme:
        write_between_markers(arguments.readme, matrix.as_markdown())
    return 0 if matrix.clean else 1
