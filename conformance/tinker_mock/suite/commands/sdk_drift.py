"""What a new SDK release changed, and the renewal of the history from the published wheels.

Three sides are compared: the types in the release's wheel, the contract, and the cassettes.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from tinker_mock.contracts import load_contract
from tinker_mock.contracts.history import (
    History,
    Surface,
    differences,
    fold,
    load_history,
    read_surface,
    write_history,
)
from tinker_mock.contracts.history.agreement import disagreements
from tinker_mock.suite.cassettes.contract import judge_cassettes, recorded_releases
from tinker_mock.suite.sdk import environment


def unpacked_surfaces(releases: list[str]) -> list[tuple[str, Surface]]:
    """The surfaces of releases that `make sdk-env` has unpacked, in the order given."""
    code = environment.home() / "releases"
    return [(release, read_surface(code / release / "tinker")) for release in releases]


def download_surface(release: str | None) -> tuple[str, Surface]:
    """Fetch one wheel (None: the newest) and read its surface; (release, surface)."""
    with tempfile.TemporaryDirectory() as scratch:
        wanted = f"tinker=={release}" if release else "tinker"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--dest", scratch, wanted], check=True)
        (wheel,) = Path(scratch).glob("tinker-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(scratch)
        found = re.match(r"tinker-([\d.]+?)-", wheel.name)
        if found is None:
            raise ValueError(f"{wheel.name} has no plain release number")
        return found[1], read_surface(Path(scratch) / "tinker")


def report(release: str, surface: Surface, history: History) -> list[str]:
    """What moved since the newest release in the history, and what the contract then lacks."""
    before = history.releases[-1]
    moved = differences(history.surface(before), surface)
    lines = [f"tinker {before} → {release}: {len(moved)} changes", *(f"  {m}" for m in moved)]
    if release not in history.releases:
        known = [(past, history.surface(past)) for past in history.releases]
        lacking = disagreements(load_contract("tinker"), fold([*known, (release, surface)]))
        if lacking:
            lines += ["the contract disagrees:", *(f"  {line}" for line in lacking)]
    return lines


def cassettes() -> Iterator[str]:
    """What recorded exchanges say against the contract, a heading and a line for each problem."""
    for release, directory in recorded_releases().items():
        count, problems = judge_cassettes(release, directory)
        yield f"cassettes of {release}: {count} exchanges, {len(problems)} out of contract"
        yield from (f"  {problem}" for problem in problems)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--write", action="store_true", help="renew history.yaml from every unpacked release"
    )
    parser.add_argument(
        "release", nargs="?", help="compare this release with the history (default: the newest)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Renew the history, or list what a release changed; 1 if it changed anything."""
    if arguments.write:
        releases = list(environment.releases())
        write_history(fold(unpacked_surfaces(releases)))
        print(f"history.yaml: {len(releases)} releases, {releases[0]} to {releases[-1]}")
        lines = disagreements(load_contract("tinker"), load_history())
        print("\n".join(lines) or "the contract agrees")
        return 1 if lines else 0
    release, surface = download_surface(arguments.release)
    lines = report(release, surface, load_history())
    print("\n".join(lines))
    recorded = list(cassettes())
    print("\n".join(recorded))
    return 1 if len(lines) > 1 or any(line.startswith("  ") for line in recorded) else 0
