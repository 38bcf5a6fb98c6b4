"""Runs a program and writes down which functions of the client it enters.

python entered.py PROGRAM: writes a line `client/file.py:function` for each into ENTERED's file.
"""

import os
import runpy
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import NoReturn

ENTERED = "TINKER_MOCK_ENTERED"
MARK = f"{os.sep}tinker_mock{os.sep}client{os.sep}"
seen: set[tuple[str, str]] = set()


def note(frame: FrameType, event: str, argument: object) -> None:
    """A profile function."""
    if event == "call" and MARK in frame.f_code.co_filename:
        seen.add((frame.f_code.co_filename, frame.f_code.co_qualname.partition(".<locals>")[0]))


def write() -> None:
    """What was entered until now."""
    sys.setprofile(None)
    lines = {f"client/{path.partition(MARK)[2]}:{name}" for path, name in list(seen)}
    Path(os.environ[ENTERED]).write_text("\n".join(sorted(lines)), "utf-8")


def main() -> None:
    """Run the program under the profile function."""
    sys.argv = sys.argv[1:]
    leave = os._exit

    def left(status: int) -> NoReturn:
        write()
        leave(status)

    os._exit = left  # a program that must not wait for its threads ends so
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        write()


if __name__ == "__main__":
    main()
