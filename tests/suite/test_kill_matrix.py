"""Checks can fail and cover their rules: every MUST has a mutant or a fault, some are played here.

`conformance self` plays all mutants, and `conformance self --mutants all` all faults.
"""

import pytest

from tests.suite.conftest import target
from tinker_mock.contracts.ledger import load_ledger, requirement_of
from tinker_mock.server.mutants import ActiveMutants, MutantError, load_faults, load_mutants
from tinker_mock.server.mutants.grafting import Edit, Graft, GraftError, replacements
from tinker_mock.suite.selftest.proofs import mutable_checks
from tinker_mock.suite.server.fault_matrix import fault_matrix
from tinker_mock.suite.server.kill_matrix import kill_matrix

SAMPLE = [name for name in mutable_checks(everything=False) if name in load_mutants()][::24]
PLANTED = sorted(load_faults())[::16]


def test_every_must_can_be_broken() -> None:
    aimed = {fault.rule for fault in load_faults().values()}
    rules = requirement_of()
    tinker = [name for name in mutable_checks(everything=False) if not name.startswith("text/")]
    unproved = [
        name for name in tinker if name not in load_mutants() and rules[name].id not in aimed
    ]
    assert unproved == []


def test_every_mutant_breaks_a_check_that_exists() -> None:
    assert set(load_mutants()) - set(requirement_of()) == set()


def test_there_are_many_faults_and_each_is_aimed_at_a_rule_with_checks() -> None:
    ledger = load_ledger()
    assert len(load_faults()) >= 150
    for fault in load_faults().values():
        assert ledger[fault.rule].checks, fault.name


@pytest.mark.parametrize("name", sorted(load_faults()))
def test_a_fault_fits_the_code(name: str) -> None:
    assert replacements(load_faults()[name].edits)


@pytest.mark.parametrize("check", SAMPLE)
def test_a_mutant_is_killed(quick_mock: str, check: str) -> None:
    rules = {check: requirement_of()[check]}
    (kill,) = kill_matrix(target(quick_mock), rules)
    assert kill.killed, kill
    assert not kill.errors


@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_is_noticed_by_the_checks_of_its_rule(quick_mock: str, name: str) -> None:
    fault = load_faults()[name]
    (kill,) = fault_matrix(target(quick_mock), [(fault.name, fault.rule, fault.says)])
    assert kill.killed, kill


def test_an_unknown_check_cannot_be_broken() -> None:
    with pytest.raises(MutantError, match="no mutant breaks"):
        ActiveMutants("no/such/check")


def clip(limit: float) -> float:
    import numpy as np

    from tinker_mock.server.engine.training import adam

    return float(adam.clip(np.array([3.0, 4.0]), limit)[0][0])


def test_a_planted_fault_changes_live_code_and_healing_gives_it_back() -> None:
    mutants = ActiveMutants("never-clips")
    assert mutants.planted
    assert clip(1.0) == 3.0
    mutants.heal()
    assert clip(1.0) == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("find", "put", "words"),
    [
        ("no such text", "", "0 times"),
        ("import math", "import cmath", "in no function"),
        ("if 0 < limit < norm", "if 0 <", "expected 'else'"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(find: str, put: str, words: str) -> None:
    with pytest.raises(GraftError, match=words):
        Graft((Edit("engine/training/adam.py", find, put),)).put_in()
    assert clip(1.0) == pytest.approx(0.6)


def test_a_function_that_was_made_before_is_changed_too() -> None:
    import numpy as np

    from tinker_mock.server.engine.training.custom_loss.reductions import REDUCTIONS
    from tinker_mock.server.engine.training.custom_loss.values import Value
    from tinker_mock.server.mutants.grafting import Rewritten

    file = "engine/training/custom_loss/reductions.py"
    before = "shown = top if keepdim else top.squeeze(axes)"
    changed = Rewritten(file, source_of(file).replace(before, "shown = top.squeeze(axes) + 1.0"))
    amax = REDUCTIONS["amax"]
    changed.put_in()
    assert float(amax(Value(np.array([1.0, 2.0]))).array) == 3.0
    changed.take_out()
    assert float(amax(Value(np.array([1.0, 2.0]))).array) == 2.0


def source_of(file: str) -> str:
    from importlib.resources import files

    return (files("tinker_mock.server") / file).read_text("utf-8")
