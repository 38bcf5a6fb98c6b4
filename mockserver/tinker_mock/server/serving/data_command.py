"""`tinker-mock data`: look into a data directory, take it elsewhere, make it small.

examples:
  tinker-mock data info ./data
  tinker-mock data export ./data data.tar     # also while a server uses it; holds its secret
  tinker-mock data import ./copy data.tar
  tinker-mock data compact ./data
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

from tinker_mock.server.database import transfer
from tinker_mock.server.errors import ConfigurationError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `data`."""
    add = parser.add_argument
    add("action", choices=tuple(ACTIONS), help="what to do")
    add("directory", type=Path, help="the directory given as --data-dir")
    add("file", type=Path, nargs="?", help="the archive (export, import)")
    add("--json", action="store_true", help="info as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 2 for a directory or file that cannot be used."""
    try:
        if (arguments.file is None) is (arguments.action in ("export", "import")):
            raise ConfigurationError(f"{arguments.action}: see tinker-mock help data")
        ACTIONS[arguments.action](arguments)
    except (ConfigurationError, OSError) as error:
        print(f"tinker-mock data: {error}", file=sys.stderr)
        return 2
    return 0


def _info(arguments: argparse.Namespace) -> None:
    told = transfer.describe(arguments.directory)
    if arguments.json:
        print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    print(f"schema      {told['schema']}")
    print(f"seed        {told['seed']}")
    print(f"used by     {told['used_by'] or 'nobody'}")
    print(f"database    {told['database_bytes'] / 1024:,.0f} KiB")
    print(f"weights     {told['weights_bytes'] / 1024:,.0f} KiB")
    print(f"snapshots   {', '.join(told['snapshots']) or 'none'}")
    for table, count in told["records"].items():
        print(f"{table:<12}{count}")


def _export(arguments: argparse.Namespace) -> None:
    transfer.export_to(arguments.directory, arguments.file)
    print(f"{arguments.file}: {arguments.file.stat().st_size / 1024:,.0f} KiB")


def _import(arguments: argparse.Namespace) -> None:
    transfer.import_from(arguments.directory, arguments.file)
    print(f"tinker-mock serve --data-dir {arguments.directory}")


def _compact(arguments: argparse.Namespace) -> None:
    freed = transfer.compact(arguments.directory)
    print(f"{freed / 1024:,.0f} KiB given back")


ACTIONS: dict[str, Callable[[argparse.Namespace], None]] = {
    "info": _info,
    "export": _export,
    "import": _import,
    "compact": _compact,
}
