"""Every fact about the service is settled, with a test that is there; the page is in step."""

import re

import pytest

from tests.named_tests import ROOT, missing
from tinker_mock.contracts.facts import Fact, load_facts, read_facts
from tinker_mock.contracts.fidelity import FidelityError
from tinker_mock.contracts.ledger import load_ledger
from tinker_mock.suite.commands.facts import facts_page

FACTS = list(load_facts().values())
NOTES = ROOT.parent / "shared" / "facts" / "service_docs.md"
"""Where the facts were gathered, beside a working copy."""
LINE = re.compile(r"^(\d+)\. ", re.MULTILINE)
STRONG = ("documented", "sdk")


def named(fact: Fact) -> str:
    return f"fact-{fact.number:03}"


def test_facts_are_numbered_without_a_gap() -> None:
    assert [fact.number for fact in FACTS] == list(range(1, len(FACTS) + 1))


def test_no_line_of_the_notes_is_missing() -> None:
    if not NOTES.is_file():
        pytest.skip("the notes that the facts were gathered in are not beside this copy")
    gathered = [int(number) for number in LINE.findall(NOTES.read_text("utf-8"))]
    assert len(gathered) >= 136
    assert set(gathered) == {fact.number for fact in FACTS}


@pytest.mark.parametrize("fact", FACTS, ids=named)
def test_a_fact_names_tests_and_rules_that_exist(fact: Fact) -> None:
    assert [one for one in fact.tests if missing(one)] == []
    assert [one for one in fact.rules if one not in load_ledger()] == []


@pytest.mark.parametrize("fact", FACTS, ids=named)
def test_a_fact_of_a_strong_witness_agrees_or_has_its_reason(fact: Fact) -> None:
    """What the service's own texts say differs only by a quirk, a row or a reason."""
    if any(one.strength in STRONG for one in fact.witnesses):
        assert fact.settled == "agrees" or fact.row or fact.why


@pytest.mark.parametrize("fact", FACTS, ids=named)
def test_a_fact_is_in_our_words_and_dated(fact: Fact) -> None:
    assert fact.fact.endswith(".")
    assert len(fact.fact) < 400
    assert all(one.source and one.date for one in fact.witnesses)


def test_documented_facts_carry_the_address() -> None:
    for fact in FACTS:
        for one in fact.witnesses:
            if one.strength == "documented":
                assert one.source.startswith("https://tinker-docs.thinkingmachines.ai/"), fact


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("settled: agrees", "proof must name a test"),
        ("settled: unseen", "why no client can see it"),
        ("settled: quirk no-such-quirk", "no quirk 'no-such-quirk'"),
        ("settled: difference", "settled must be"),
        ("settled: maybe", "settled must be"),
    ],
)
def test_a_fact_that_is_not_settled_is_refused(row: str, words: str) -> None:
    witness = "{strength: sdk, source: s, date: 2026-11-28}"
    with pytest.raises(FidelityError, match=words):
        read_facts(f"s:\n  1:\n    fact: f.\n    witnesses: [{witness}]\n    {row}\n")


def test_a_number_is_used_once() -> None:
    witness = "{strength: sdk, source: s, date: 2026-11-28}"
    row = f"{{fact: f., witnesses: [{witness}], settled: unseen, why: w}}"
    with pytest.raises(FidelityError, match="a number of its own"):
        read_facts(f"s:\n  1: {row}\nt:\n  1: {row}\n")


def test_the_page_is_up_to_date() -> None:
    published = ROOT / "docs" / "facts.md"
    assert published.read_text("utf-8") == facts_page(), "run `make fidelity`"
    rows = [line for line in facts_page().splitlines() if re.match(r"\| \d+ \|", line)]
    assert len(rows) == len(FACTS)
