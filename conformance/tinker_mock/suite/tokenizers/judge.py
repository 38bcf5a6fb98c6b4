"""A verdict for each check of the tokenizer chapter."""

from collections.abc import Callable, Mapping

from tinker_mock.contracts.ledger import Requirement
from tinker_mock.suite.core.verdict import Inapplicable, Status, Unmet, Verdict, judging
from tinker_mock.suite.tokenizers.checks import CHECKS, Check
from tinker_mock.suite.tokenizers.subject import Subject

CHAPTER = "tokenizer"


def judge_tokenizer(
    subject: Subject,
    rules: Mapping[str, Requirement],
    wanted: Callable[[str], bool] = lambda check: True,
) -> list[Verdict]:
    """One verdict per wanted check; never raises for the tokenizer's faults."""
    return [_verdict(n, rules[n], check, subject) for n, check in CHECKS.items() if wanted(n)]


def _verdict(name: str, rule: Requirement, check: Check, subject: Subject) -> Verdict:
    verdict = Verdict(name, rule, Status.PASS, scenario=f"{CHAPTER}/{subject.tokenizer.name}")
    with judging(verdict):
        try:
            check(subject)
        except (Inapplicable, Unmet):
            raise
        except Exception as error:
            # The tokenizer is the target: what it raises where it should answer is its failure.
            raise Unmet(f"raised {type(error).__name__}: {error}") from error
    return verdict
