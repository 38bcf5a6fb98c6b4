"""`tinker-mock replay`: cassettes to the reference client, or with --target to a server."""

import argparse
import sys
from pathlib import Path

from tinker_mock.client.config import presets
from tinker_mock.contracts.locations import FIXTURES
from tinker_mock.suite.cassettes.cassette import CassetteError, cassette_paths, read_cassette
from tinker_mock.suite.cassettes.parity_page import write_page
from tinker_mock.suite.cassettes.replay_client import PRESETS, has_preset, replay_problems
from tinker_mock.suite.cassettes.replay_server import replay_to_server

FOLDER = FIXTURES / "cassettes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `replay`."""
    parser.add_argument("cassettes", nargs="*", type=Path, help=f"files (all of {FOLDER})")
    parser.add_argument("--target", metavar="URL", help="send the recorded requests to this server")
    parser.add_argument("--api-key", default="tml-cassette")
    parser.add_argument(
        "--shapes", action="store_true", help="compare shapes only: for servers with other models"
    )
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="put the parity tables between FILE's markers"
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay each cassette; 1 if any does not match."""
    paths = arguments.cassettes or cassette_paths(FOLDER)
    if not arguments.cassettes and arguments.target is None:
        paths = [path for path in paths if path.parent.name in {*PRESETS, *presets.PRESETS}]
    if arguments.page is not None:
        write_page(arguments.page, FOLDER)
        return 0
    for path in paths:
        if not path.exists():
            print(f"tinker-mock replay: {path}: No such file or directory", file=sys.stderr)
            return 2
    failed = 0
    for path in paths:
        problems = _replay(path, arguments)
        failed += bool(problems)
        print(f"{'FAIL' if problems else 'ok  '} {path}")
        for problem in problems[:5]:
            print(f"     {problem}")
    print(f"{len(paths) - failed} of {len(paths)} cassettes replayed")
    return 1 if failed or not paths else 0


def _replay(path: Path, arguments: argparse.Namespace) -> list[str]:
    try:
        cassette = read_cassette(path)
    except CassetteError as error:
        return [str(error)]
    if arguments.target is None:
        if "program" not in cassette.provenance:
            return ["a program's cassette: only --target URL can replay it"]
        if not has_preset(cassette):
            return [f"no preset is {cassette.provenance['client']}: only --target can replay it"]
        return replay_problems(cassette)
    mismatches = replay_to_server(
        cassette, arguments.target, api_key=arguments.api_key, values=not arguments.shapes
    )
    return [str(one) for one in mismatches]
