"""The table of client checks: one function a check, each judging what one run sent."""

from collections.abc import Callable
from dataclasses import dataclass

from tinker_mock.suite.client.traffic import Traffic
from tinker_mock.suite.core.verdict import Inapplicable

Judge = Callable[[Traffic], None]


@dataclass(frozen=True)
class ClientCheck:
    """A check, the situation it needs, and how it is judged."""

    id: str
    situation: str
    judge: Judge


CLIENT_CHECKS: dict[str, ClientCheck] = {}


def judges(check: str, situation: str = "healthy") -> Callable[[Judge], Judge]:
    """Enter a judge into the table; raises ValueError for an id used twice."""

    def enter(judge: Judge) -> Judge:
        if check in CLIENT_CHECKS:
            raise ValueError(f"client check {check} exists already")
        CLIENT_CHECKS[check] = ClientCheck(check, situation, judge)
        return judge

    return enter


def need(condition: object, what: str) -> None:
    """Inapplicable unless the condition holds: the program never did what the check is about."""
    if not condition:
        raise Inapplicable(what)
