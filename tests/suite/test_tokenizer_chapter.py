"""The tokenizer chapter: every tokenizer passes, every mutant fails where it should."""

import json
from pathlib import Path

import pytest

from tinker_mock.cli import main
from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.core.verdict import Status
from tinker_mock.suite.tokenizers.checks import CHECKS
from tinker_mock.suite.tokenizers.judge import CHAPTER, judge_tokenizer
from tinker_mock.suite.tokenizers.mutants import MUTANTS
from tinker_mock.suite.tokenizers.subject import Subject
from tinker_mock.tokenizer import load_tokenizer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tokenizers"
RULES = {check: rule for check, rule in requirement_of().items() if rule.chapter == CHAPTER}


def statuses(subject: Subject) -> dict[str, Status]:
    return {verdict.check: verdict.status for verdict in judge_tokenizer(subject, RULES)}


def test_ledger_and_checks_name_each_other() -> None:
    assert RULES.keys() == CHECKS.keys() == MUTANTS.keys()


@pytest.mark.parametrize(
    ("name", "least"),
    [("kimi_small", 24), ("bytelevel_small", 22), ("fallback_small", 17), ("mock", 15)],
)
def test_our_tokenizers_pass(name: str, least: int) -> None:
    tokenizer = load_tokenizer(name if name == "mock" else FIXTURES / name)
    found = statuses(Subject(tokenizer))
    assert set(found.values()) <= {Status.PASS, Status.NOT_APPLICABLE}
    assert list(found.values()).count(Status.PASS) >= least


@pytest.mark.parametrize("check", MUTANTS)
def test_each_check_fails_for_its_careless_tokenizer(check: str) -> None:
    healthy = Subject(load_tokenizer(FIXTURES / "kimi_small"))
    [verdict] = judge_tokenizer(MUTANTS[check](healthy), RULES, lambda name: name == check)
    assert verdict.status in (Status.FAIL, Status.WARN)
    assert (verdict.status is Status.WARN) == (verdict.level != "MUST")
    assert verdict.message


def test_the_command_writes_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(FIXTURES / "kimi_small")
    assert main(["conformance", "tokenizer", "-t", path, "--report", str(tmp_path)]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["target"]["kind"] == "tokenizer"
    assert len(results["verdicts"]) == len(CHECKS)
    assert "conformant" in capsys.readouterr().out
    assert main(["conformance", "tokenizer", "-t", "/nowhere/x.json"]) == 2
    assert "File not found" in capsys.readouterr().err
