"""The mutants of the provider check's rules about streams, histories and tool choices bite."""

import pytest

from tests.suite.conftest import target
from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.server.kill_matrix import kill_matrix

RULES = (
    "kimi/stream/indices",
    "kimi/stream/characters",
    "kimi/history/foreign-ids",
    "kimi/tool-choice/forced",
    "kimi/markers/reasoning",
)


@pytest.mark.parametrize("check", RULES)
def test_a_provider_that_breaks_the_rule_fails_it_and_no_other(quick_mock: str, check: str) -> None:
    (kill,) = kill_matrix(target(quick_mock), {check: requirement_of()[check]})
    assert kill.killed, kill
    assert not kill.errors
