"""Sections that judge clients, tokenizers and the mock as a provider of a Kimi model."""

import os
import sys
from importlib.resources import files

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.contracts.locations import FIXTURES
from tinker_mock.suite.client.audit import audit_client
from tinker_mock.suite.mock_process import mock_server
from tinker_mock.suite.providers.judge import Judge, load_requests
from tinker_mock.suite.providers.provider import Provider
from tinker_mock.suite.sdk.environment import EnvironmentMissing, newest, process
from tinker_mock.suite.selftest.section import Options, SectionResult
from tinker_mock.suite.tokenizers.judge import judge_tokenizer
from tinker_mock.suite.tokenizers.subject import Subject
from tinker_mock.tokenizer import load_tokenizer

TOKENIZERS = FIXTURES / "tokenizers"
OURS = ("kimi_small", "bytelevel_small", "fallback_small", "mock")
KIMI = "moonshotai/Kimi-K2.6"


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
        judge.forced(rows)
        judge.cut(rows)
        provider.close()
    return SectionResult("kimi", judge.verdicts)


RECIPE = str(files("tinker_mock.suite.client.recipes") / "every_use.py")
SDK_SITUATIONS = ("healthy", "pending", "unavailable", "lost", "failing")
PATIENCE = 300.0
"""Seconds that a program may take on a busy machine."""


def reference_client(options: Options) -> SectionResult:
    """The reference client, imported as `tinker`, in every situation."""
    path = [str(files("tinker_mock.client.compat") / "path"), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    found = audit_client(
        [sys.executable, RECIPE], timeout=PATIENCE, environment=environment, jobs=3
    )
    return SectionResult("reference-client", found)


def newest_sdk(options: Options) -> SectionResult:
    """The newest real SDK, if its environment is there."""
    release = newest()
    try:
        python, environment = process(release)
    except EnvironmentMissing as missing:
        return SectionResult("tinker-sdk", notes=[f"skipped: {missing}"])
    found = audit_client(
        [python, RECIPE], SDK_SITUATIONS, timeout=PATIENCE, environment=environment, jobs=2
    )
    for verdict in found:
        verdict.scenario = f"tinker {release}: {verdict.scenario}"
    return SectionResult("tinker-sdk", found, [f"tinker {release}"])
