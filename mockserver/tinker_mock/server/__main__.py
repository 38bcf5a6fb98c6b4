"""`python -m tinker_mock.server`: the same as `tinker-mock serve`."""

import argparse
import gc
import sys


def main() -> int:
    """Parse the options of `serve` and run it."""
    gc.disable()  # hardly anything that importing makes is garbage; the server's collector begins
    from tinker_mock.server.serving.command import add_arguments, run

    parser = argparse.ArgumentParser(prog="python -m tinker_mock.server", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
