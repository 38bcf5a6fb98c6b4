"""`python -m tinker_mock.cli`: the same as `tinker-mock`."""

import sys

from tinker_mock.cli import main

if __name__ == "__main__":
    sys.exit(main())
