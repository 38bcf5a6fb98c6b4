"""Checks can fail: every MUST has a mutant, and a sample of them is killed here.

`conformance self` kills all of them.
"""

import pytest

from tests.suite.conftest import target
from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.server.mutants import ActiveMutants, MutantError, load_mutants
from tinker_mock.suite.selftest.servers import mutable_checks
from tinker_mock.suite.server.kill_matrix import kill_matrix

SAMPLE = mutable_checks(everything=False)[::24]


def test_every_must_has_a_mutant() -> None:
    tinker = [name for name in mutable_checks(everything=False) if not name.startswith("text/")]
    assert [name for name in tinker if name not in load_mutants()] == []


def test_every_mutant_breaks_a_check_that_exists() -> None:
    assert set(load_mutants()) - set(requirement_of()) == set()


@pytest.mark.parametrize("check", SAMPLE)
def test_a_mutant_is_killed(quick_mock: str, check: str) -> None:
    rules = {check: requirement_of()[check]}
    (kill,) = kill_matrix(target(quick_mock), rules)
    assert kill.killed, kill
    assert not kill.errors


def test_an_unknown_check_cannot_be_broken() -> None:
    with pytest.raises(MutantError, match="no mutant breaks"):
        ActiveMutants("no/such/check")
