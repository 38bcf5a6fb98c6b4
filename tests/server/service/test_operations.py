"""The table of work is the contract's."""

from tinker_mock.contracts import load_contract
from tinker_mock.server.service.operations import WORK


def test_all_that_is_promised_is_worked_on_and_nothing_else() -> None:
    assert set(WORK) == load_contract("tinker").promised
