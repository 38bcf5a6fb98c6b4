"""A pattern that backtracks for ever costs a second, and nobody else notices."""

import time

import pytest

from tinker_mock.server.engine import EngineError
from tinker_mock.server.engine.model import search

pytest.importorskip("regex")
LONG = "a" * 5000 + "!"


EVIL = ["(a+)+$", "(a|a)+$", "(a|aa)+$", "(.*)*x", "(a*)*b", "a*a*a*b", r"(\w+\s?)+$", "(a+a+)+y"]


def search_of(pattern: str) -> str:
    """What came of it."""
    try:
        return str(search.found(pattern, LONG))
    except EngineError as error:
        return str(error.rule)


def test_every_search_ends_and_some_had_to_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SECONDS", 0.1)
    begun = time.monotonic()
    outcomes = [search_of(pattern) for pattern in EVIL]
    assert time.monotonic() - begun < 30
    ended = [said for said in outcomes if "takes more than 0.1 s" in said]
    assert ended
    assert {said for said in outcomes if said not in ended} <= {"False"}


def test_what_it_finds_is_what_re_finds() -> None:
    assert search.found(r"\bdog\b.*cat", "a dog, a cat")
    assert not search.found(r"^dog", "a dog")
    assert search.found(r"(?i)DOG", "a dog")
    for wrong in ("(", "a{5,1}", "[", "(?P<a"):
        with pytest.raises(EngineError, match="not a regular expression"):
            search.check_pattern(wrong)
