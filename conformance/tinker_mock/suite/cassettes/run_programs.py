"""A client's process: `python run_programs.py CLIENT URL`.

It reads orders, one a line: `{"program": NAME, "cassette": FILE}`, and answers each with a line of
JSON: its values, or `{"broken": why}`. With a file, vcrpy records. It also runs in a real SDK's
environment, where nothing of this project is installed.
"""

import json
import logging
import os
import sys
import traceback
import warnings
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any


def main(client: str, url: str) -> None:
    if find_spec("tinker_mock") is None:
        _stand_in()
    from tinker_mock.suite.cassettes import records, situations, text_programs  # noqa: F401
    from tinker_mock.suite.cassettes.driver import NotInReleaseError
    from tinker_mock.suite.cassettes.programs import PROGRAMS
    from tinker_mock.suite.cassettes.recording import recording
    from tinker_mock.suite.cassettes.situation import SITUATIONS

    programs = {**PROGRAMS, **{name: one.run for name, one in SITUATIONS.items()}}
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        order = json.loads(line)
        file = order["cassette"]
        try:
            with recording(file) if file else nullcontext():
                one = driver(client, url)
                values = programs[order["program"]](one)
                one.close()
        except NotInReleaseError as absent:
            values = {"absent": str(absent)}
        except Exception:
            values = {"broken": traceback.format_exc()}
        print(json.dumps(values), flush=True)
    os._exit(0)  # a real SDK's threads would keep the process for minutes


def _stand_in() -> None:
    """Make this folder, and nothing else of the project, importable by its name."""
    name, package = "", None
    for part in ("tinker_mock", "suite", "cassettes"):
        name = f"{name}.{part}".lstrip(".")
        package = sys.modules[name] = ModuleType(name)
        package.__path__ = []
    assert package is not None
    package.__path__ = [str(Path(__file__).parent)]


def driver(client: str, url: str) -> Any:
    """`tinker` is the SDK on the path; else a text client, or a preset of the reference client."""
    from tinker_mock.suite.cassettes import drivers

    if client == "tinker":
        return drivers.SdkDriver(url)
    if client in ("openai", "anthropic"):
        from tinker_mock.suite.cassettes.text_driver import TextDriver

        return TextDriver(url, client)
    return drivers.ReferenceDriver(url, client)


if __name__ == "__main__":
    main(*sys.argv[1:])
