"""Parts that judge tokenizers and the Kimi chapter."""

from typing import TYPE_CHECKING

from tinker_mock.contracts.locations import FIXTURES
from tinker_mock.suite.core.runner import requirement_of
from tinker_mock.suite.mock_process import mock_server
from tinker_mock.suite.providers.judge import Judge, load_requests
from tinker_mock.suite.providers.provider import Provider
from tinker_mock.suite.tokenizers.judge import judge_tokenizer
from tinker_mock.suite.tokenizers.subject import Subject
from tinker_mock.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from tinker_mock.suite.selftest.section import Outcome, Plan

TOKENIZERS = FIXTURES / "tokenizers"
OURS = ("kimi_small", "bytelevel_small", "fallback_small", "mock")
KIMI = "moonshotai/Kimi-K2-Thinking"


def tokenizers(plan: "Plan") -> "Outcome":
    """Every kind of tokenizer that we have."""
    from tinker_mock.suite.selftest.section import Outcome

    rules = {check: one for check, one in requirement_of().items() if one.chapter == "tokenizer"}
    outcome = Outcome("tokenizers")
    for name in OURS:
        tokenizer = load_tokenizer(name if name == "mock" else TOKENIZERS / name)
        outcome.verdicts += judge_tokenizer(Subject(tokenizer), rules)
    return outcome


def kimi(plan: "Plan") -> "Outcome":
    """The mock as a provider of a Kimi model."""
    from tinker_mock.suite.selftest.section import Outcome

    rules = {check: one for check, one in requirement_of().items() if one.chapter == "kimi"}
    with mock_server(plan.mock_arguments()) as url:
        provider = Provider(f"{url}/oai/api/v1", KIMI, "tml-provider")
        judge = Judge(provider, rules)
        rows = load_requests()
        judge.answers([row for row in rows if row.get("short")])
        judge.conversation(rows)
        judge.cut(rows)
        provider.close()
    return Outcome("kimi", judge.verdicts)
