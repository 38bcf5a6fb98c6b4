"""The app does not start with an operation that nobody serves, and starts without the engine."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from tinker_mock.contracts import load_contract
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.handlers.table import HANDLERS, handlers_of


@dataclass
class Lost:
    """An operation that no module has."""

    id: str = "teleport"
    method: str = "POST"
    path: str = "/api/v1/teleport"


def test_every_operation_has_a_handler() -> None:
    operations = {**load_contract("tinker").operations, **load_contract("inference").operations}
    assert set(handlers_of(operations.values())) == set(operations) == set(HANDLERS)


def test_an_operation_without_a_handler_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"teleport \(POST /api/v1/teleport\)"):
        handlers_of([Lost()])  # type: ignore[list-item]


def test_starting_imports_neither_the_engine_nor_what_only_tests_need() -> None:
    program = (
        "import sys; from tinker_mock.server.app import create_app; create_app();"
        "print([m for m in ('numpy', 'tinker_mock.server.engine', 'faker', 'schemathesis',"
        " 'tokenizers', 'respx', 'vcr') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
