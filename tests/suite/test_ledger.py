"""The requirement ledger and the checks name each other."""

from importlib.resources import files

import pytest

from tinker_mock.contracts.ledger import (
    CHAPTERS,
    LedgerError,
    SdkSpan,
    frozen_rules,
    load_ledger,
    parse_row,
    requirement_of,
)
from tinker_mock.suite.client import audit
from tinker_mock.suite.client.judging import CLIENT_CHECKS
from tinker_mock.suite.commands.ledger import ledger_page
from tinker_mock.suite.core.http import Routes
from tinker_mock.suite.providers import judge
from tinker_mock.suite.server.runner import load_scenarios
from tinker_mock.suite.server.stalls import STALL_CHECK
from tinker_mock.suite.server.wire_checks import wire_check
from tinker_mock.suite.tokenizers.checks import CHECKS

ROW = {
    "id": "futures/x", "level": "MUST", "text": "x", "sdk": "all",
    "source": "sdk-code 0.38.0 lib/x.py:1", "checks": ["futures/x"],
}  # fmt: skip


def server_checks() -> set[str]:
    return {check for scenario in load_scenarios().values() for check in scenario.checks}


def test_the_ledger_is_large_and_every_chapter_has_rules() -> None:
    ledger = load_ledger()
    assert len(ledger) >= 150
    assert {rule.chapter for rule in ledger.values()} >= set(CHAPTERS)


def test_every_check_in_code_has_a_requirement() -> None:
    made = server_checks() | set(CLIENT_CHECKS) | set(CHECKS)
    assert made - set(requirement_of()) == set()


def test_every_check_in_the_ledger_is_made() -> None:
    wire = {wire_check(one) for one in Routes("tinker", "inference").operations.values()}
    made = server_checks() | set(CLIENT_CHECKS) | set(CHECKS) | wire | {STALL_CHECK}
    assert set(requirement_of()) - made == set()
    assert audit.MODULES
    assert judge.Judge


def test_there_are_enough_checks_of_each_kind() -> None:
    assert len(server_checks()) >= 250
    assert len(CLIENT_CHECKS) >= 60


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"source": "inferred: so it seems"}, "never a MUST"),
        ({"source": "reported a reader of the docs 2026-08-03"}, "never a MUST"),
        ({"source": "docs https://tinker-docs.thinkingmachines.ai/"}, "no known form"),
        ({"source": "I think"}, "no known form"),
        ({"level": "MAYBE"}, "level must be"),
        ({"checks": []}, "checks or the reason"),
        ({"sdk": "1.x"}, "sdk range"),
        ({"colour": "red"}, "unknown field"),
    ],
)
def test_a_broken_row_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(LedgerError, match=words):
        parse_row({**ROW, **change}, "futures")


def test_other_servers_are_not_asked_for_what_one_witness_tells() -> None:
    """What is only reported is a MAY where a server is judged by it; what the tracker tells is no
    MUST; documented rules have an address."""
    for rule in load_ledger().values():
        if rule.source.startswith("docs "):
            assert rule.source.startswith("docs https://"), rule.id
        judged = rule.checks and rule.chapter not in ("kimi", "tokenizer", "client")
        if judged and rule.source.startswith("reported "):
            assert rule.level == "MAY", rule.id
        if judged and rule.source.startswith("tracker "):
            assert rule.level != "MUST", rule.id


def test_a_rule_is_proved_by_the_check_of_its_name_unless_it_says_otherwise() -> None:
    silent = {name: value for name, value in ROW.items() if name != "checks"}
    assert parse_row(silent, "futures").checks == ("futures/x",)
    assert parse_row({**silent, "checks": ["futures/y"]}, "futures").checks == ("futures/y",)
    assert parse_row({**silent, "unproved": "nobody can see it"}, "futures").checks == ()


def test_spans_of_releases() -> None:
    assert 18 in SdkSpan.parse("0.18+")
    assert 17 not in SdkSpan.parse("0.18+")
    assert str(SdkSpan.parse("0.7-0.24")) == "0.7-0.24"
    assert not SdkSpan.parse("0.7-0.24").meets(SdkSpan.parse("0.25+"))


def test_the_ledger_page_has_every_rule_and_is_up_to_date() -> None:
    page = ledger_page()
    assert all(f"`{name}`" in page for name in load_ledger())
    published = files("contracts") / "requirements" / "README.md"
    assert published.read_text("utf-8") == page, "run `make ledger`"


def test_frozen_rules_still_exist_and_are_about_their_release() -> None:
    for release in ("0.7.0", "0.16.1", "0.24.1", "0.25.0", "0.38.0"):
        frozen = frozen_rules(release)
        assert frozen <= set(load_ledger())
        minor = int(release.split(".")[1])
        assert all(minor in load_ledger()[name].sdk for name in frozen)
    with pytest.raises(LedgerError, match="no frozen requirements for '9'"):
        frozen_rules("9")
