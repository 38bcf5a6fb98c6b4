"""A verdict for each check of the tokenizer chapter."""

import time
from collections.abc import Callable

from tinker_mock.contracts.ledger import Requirement
from tinker_mock.suite.core.verdict import Status, Unmet, Verdict
from tinker_mock.suite.tokenizers.checks import CHECKS, Check
from tinker_mock.suite.tokenizers.subject import NotApplicable, Subject

CHAPTER = "tokenizer"


def judge_tokenizer(
    subject: Subject,
    rules: dict[str, Requirement],
    wanted: Callable[[str], bool] = lambda check: True,
) -> list[Verdict]:
    """One verdict per wanted check; never raises for the tokenizer's faults."""
    return [_verdict(n, rules[n], check, subject) for n, check in CHECKS.items() if wanted(n)]


def _verdict(name: str, rule: Requirement, check: Check, subject: Subject) -> Verdict:
    verdict = Verdict(name, rule, Status.PASS, scenario=f"{CHAPTER}/{subject.tokenizer.name}")
    started = time.monotonic()
    try:
        check(subject)
    except NotApplicable as reason:
        verdict.status, verdict.message = Status.NOT_APPLICABLE, str(reason)
    except Unmet as unmet:
        verdict.status = Status.FAIL if rule.level == "MUST" else Status.WARN
        verdict.message = str(unmet)
        verdict.expected, verdict.actual = unmet.expected, unmet.actual
    except Exception as error:
        # The tokenizer is the target: what it raises where it should answer is its failure.
        verdict.status = Status.FAIL if rule.level == "MUST" else Status.WARN
        verdict.message = f"raised {type(error).__name__}: {error}"
    verdict.duration_ms = (time.monotonic() - started) * 1000
    return verdict
