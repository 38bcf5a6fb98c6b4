"""`python -m tinker.cli`: the commands of `tinker-mock client`.

`main_cli` is what programs call, and click's test runner: it has a name and a `main`.
"""

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from tinker_mock.client.commands.client import main


class Commands:
    """The whole command line as one object."""

    name = "tinker"

    def main(self, args: Sequence[str] | None = None, prog_name: str = "", **_: Any) -> NoReturn:
        """Run one command and exit with its code."""
        sys.exit(main(sys.argv[1:] if args is None else list(args)))

    def __call__(self, *args: Any, **options: Any) -> NoReturn:
        self.main(*args, **options)


main_cli = Commands()

if __name__ == "__main__":
    main_cli()
