"""Sections that judge tokenizers and the Kimi chapter."""

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.contracts.locations import FIXTURES
from tinker_mock.suite.mock_process import mock_server
from tinker_mock.suite.providers.judge import Judge, load_requests
from tinker_mock.suite.providers.provider import Provider
from tinker_mock.suite.selftest.section import Options, SectionResult
from tinker_mock.suite.tokenizers.judge import judge_tokenizer
from tinker_mock.suite.tokenizers.subject import Subject
from tinker_mock.tokenizer import load_tokenizer

TOKENIZERS = FIXTURES / "tokenizers"
OURS = ("kimi_small", "bytelevel_small", "fallback_small", "mock")
KIMI = "moonshotai/Kimi-K2-Thinking"


def tokenizers(options: Options) -> SectionResult:
    """Every kind of tokenizer that we have."""
    rules = {check: one for check, one in requirement_of().items() if one.chapter == "tokenizer"}
    result = SectionResult("tokenizers")
    for name in OURS:
        tokenizer = load_tokenizer(name if name == "mock" else TOKENIZERS / name)
        result.verdicts += judge_tokenizer(Subject(tokenizer), rules)
    return result


def kimi(options: Options) -> SectionResult:
    """The mock as a provider of a Kimi model."""
    rules = {check: one for check, one in requirement_of().items() if one.chapter == "kimi"}
    with mock_server(options.mock_arguments()) as url:
        provider = Provider(f"{url}/oai/api/v1", KIMI, "tml-provider")
        judge = Judge(provider, rules)
        rows = load_requests()
        judge.answers([row for row in rows if row.get("short")])
        judge.conversation(rows)
        judge.cut(rows)
        provider.close()
    return SectionResult("kimi", judge.verdicts)
