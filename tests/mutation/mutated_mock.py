"""`tinker-mock serve` with one module's functions replaced by those of another text.

python -m tests.mutation.mutated_mock FILE TEXT serve-options…
"""

import sys
from pathlib import Path

from tests.mutation.generated import SERVER
from tinker_mock.cli import main
from tinker_mock.server.mutants.grafting import GraftError, Rewritten


def serve(file: str, text: str, options: list[str]) -> int:
    """Put the functions in and serve; 3 when they cannot be put in."""
    try:
        Rewritten(file, Path(text).read_text("utf-8")).put_in()
    except GraftError as error:
        print(f"cannot mutate {SERVER / file}: {error}", file=sys.stderr)
        return 3
    return main(["serve", *options])


if __name__ == "__main__":
    sys.exit(serve(sys.argv[1], sys.argv[2], sys.argv[3:]))
