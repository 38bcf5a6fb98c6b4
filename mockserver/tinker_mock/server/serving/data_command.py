"""`tinker-mock data`: look into a data directory or a store, take it elsewhere, make it small.

examples:
  tinker-mock data info ./data
  tinker-mock data export ./data data.tar     # also while a server uses it; holds its secret
  tinker-mock data import ./copy data.tar
  tinker-mock data compact ./data
  tinker-mock data export postgresql://db.example/mock data.tar   # as a directory's archive
  tinker-mock data import postgresql://db.example/mock data.tar   # into an empty database
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import orjson

from tinker_mock.server.database import transfer
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.lazy_module import LazyModule

if TYPE_CHECKING:
    from tinker_mock.server.database import store_transfer
else:
    store_transfer = LazyModule("tinker_mock.server.database.store_transfer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `data`."""
    add = parser.add_argument
    add("action", choices=tuple(ACTIONS), help="what to do")
    add("place", help="the directory given as --data-dir, or the address given as --store")
    add("file", type=Path, nargs="?", help="the archive (export, import)")
    add("--json", action="store_true", help="info as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 2 for a directory or file that cannot be used."""
    try:
        if (arguments.file is None) is (arguments.action in ("export", "import")):
            raise ConfigurationError(f"{arguments.action}: see tinker-mock help data")
        ACTIONS[arguments.action](arguments)
    except ImportError as error:
        missing = f"{error.name} is not installed; pip install 'tinker-mock[postgres]'"
        print(f"tinker-mock data: {missing}", file=sys.stderr)
        return 2
    except (ConfigurationError, OSError) as error:
        print(f"tinker-mock data: {error}", file=sys.stderr)
        return 2
    return 0


def is_store(place: str) -> bool:
    """Whether a place is an address, not a directory."""
    return "://" in place


def _info(arguments: argparse.Namespace) -> None:
    place = arguments.place
    store = is_store(place)
    told = store_transfer.describe(place) if store else transfer.describe(Path(place))
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
    place, archive = arguments.place, arguments.file
    if is_store(place):
        with TemporaryDirectory(dir=archive.parent, prefix=".export-") as folder:
            store_transfer.to_directory(place, Path(folder) / "data")
            transfer.export_to(Path(folder) / "data", archive)
    else:
        transfer.export_to(Path(place), archive)
    print(f"{archive}: {archive.stat().st_size / 1024:,.0f} KiB")


def _import(arguments: argparse.Namespace) -> None:
    place = arguments.place
    if is_store(place):
        with TemporaryDirectory() as folder:
            transfer.import_from(Path(folder) / "data", arguments.file)
            store_transfer.from_directory(Path(folder) / "data", place)
        print(f"tinker-mock serve --store {place}")
        return
    transfer.import_from(Path(place), arguments.file)
    print(f"tinker-mock serve --data-dir {place}")


def _compact(arguments: argparse.Namespace) -> None:
    if is_store(arguments.place):
        raise ConfigurationError("compact: a database is made small by itself (VACUUM)")
    freed = transfer.compact(Path(arguments.place))
    print(f"{freed / 1024:,.0f} KiB given back")


ACTIONS: dict[str, Callable[[argparse.Namespace], None]] = {
    "info": _info,
    "export": _export,
    "import": _import,
    "compact": _compact,
}
