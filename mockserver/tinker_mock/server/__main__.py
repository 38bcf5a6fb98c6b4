"""`python -m tinker_mock.server`: the same as `tinker-mock serve`."""

import argparse
import sys

from tinker_mock.server.serving.command import add_arguments, run


def main() -> int:
    """Parse the options of `serve` and run it."""
    parser = argparse.ArgumentParser(prog="python -m tinker_mock.server", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
