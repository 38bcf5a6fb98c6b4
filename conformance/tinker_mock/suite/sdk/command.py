"""`tinker-mock audit sdk`: real SDK releases against the mock, and the matrix of what works.

The last column is the reference client, imported as `tinker`, in the same workload. The releases
must be installed first: `tinker-mock sdk-env`.

examples:
  tinker-mock audit sdk                           # the releases at the wire's breaking changes
  tinker-mock audit sdk 0.7.0 0.38.0 --flags
  tinker-mock audit sdk client                    # the reference client, imported as tinker
  tinker-mock audit sdk 0.38.0 --target http://127.0.0.1:8765 --report reports/mine
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tinker_mock.contracts import parse_release
from tinker_mock.suite.sdk import environment
from tinker_mock.suite.sdk.environment import EnvironmentMissing
from tinker_mock.suite.sdk.matrix import Matrix, around_markers, write_between_markers
from tinker_mock.suite.sdk.release_run import CLIENT, ReleaseRun, Server, WorkloadProcess
from tinker_mock.suite.sdk.server import FLAGS, TOKENIZED_MODEL, audit_mock

BREAKPOINTS = ("0.7.0", "0.16.1", "0.18.2", "0.20.0", "0.24.1", "0.25.0", "0.30.4")
"""The releases at the wire's breaking changes; with the newest, the reduced audit."""
FLAGGED = ("0.24.1",)
"""Releases that, with the newest, run a second time with every optional path turned on."""
FIRST_WITH_FLAGS = (0, 18)


def audit(wanted: list[tuple[str, Server]], jobs: int = 2) -> Matrix:
    """Run the workload of releases against their servers, `jobs` of them at a time."""
    texts: dict[str, str] = {}

    def one(planned: tuple[str, Server]) -> ReleaseRun:
        process = WorkloadProcess(*planned)
        run = process.finish()
        texts.update(process.texts)
        print(f"{run.name}: {len(run.steps)} steps, {run.seconds} s", flush=True)
        return run

    with ThreadPoolExecutor(jobs) as pool:
        runs = list(pool.map(one, wanted))
    return Matrix(runs, texts)


def plan(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Releases to run, and those to run again with flags."""
    if arguments.all:
        known = list(environment.releases())
        return [*known, CLIENT], [*(r for r in known if _has_flags(r)), CLIENT]
    if arguments.versions:
        again = [r for r in arguments.versions if _has_flags(r)]
        return arguments.versions, again if arguments.flags else []
    return [*BREAKPOINTS, environment.newest(), CLIENT], [*FLAGGED, environment.newest(), CLIENT]


def _has_flags(release: str) -> bool:
    return release == CLIENT or parse_release(release) >= FIRST_WITH_FLAGS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "versions", nargs="*", metavar="VERSION", help=f"or {CLIENT!r}; default: breakpoints"
    )
    parser.add_argument("--all", action="store_true", help="every release in releases.yaml")
    parser.add_argument(
        "--flags", action="store_true", help="given releases a second time, with every SDK flag on"
    )
    parser.add_argument("--target", metavar="URL", help="a running mock instead of a new one")
    parser.add_argument("--jobs", type=int, default=3, help="releases at the same time")
    parser.add_argument("--report", type=Path, default=Path("reports/audit"), metavar="DIR")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="put the matrix between FILE's markers"
    )


def run(arguments: argparse.Namespace) -> int:
    """Audit, print and save; 1 if a step failed or an exchange broke the contract."""
    releases, again = plan(arguments)
    if arguments.page:
        try:
            around_markers(arguments.page)  # before the audit, which takes minutes
        except (OSError, ValueError) as problem:
            print(f"tinker-mock audit sdk: {problem}", file=sys.stderr)
            return 2
    with ExitStack() as servers:
        if arguments.target:
            runs = [(release, Server(arguments.target)) for release in releases]
        else:
            plain = Server(servers.enter_context(audit_mock()), TOKENIZED_MODEL)
            runs = [(release, plain) for release in releases]
            if again:
                url = servers.enter_context(audit_mock(*FLAGS))
                runs += [(release, Server(url, TOKENIZED_MODEL, flags=True)) for release in again]
        try:
            matrix = audit(runs, arguments.jobs)
        except EnvironmentMissing as missing:
            print(f"tinker-mock audit sdk: {missing}", file=sys.stderr)
            return 2
    matrix.save(arguments.report)
    print(matrix.as_text())
    for line in matrix.failures():
        print(f"✗ {line}")
    print(matrix.summary())
    print(f"saved in {arguments.report}: audit.json, audit.md, audit.html")
    if arguments.page:
        write_between_markers(arguments.page, matrix.as_markdown())
    return 0 if matrix.clean else 1
