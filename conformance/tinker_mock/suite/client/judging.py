"""The table of client checks: one function a check, each judging one conversation."""

from collections.abc import Callable
from dataclasses import dataclass

from tinker_mock.suite.client.traffic import Conversation

Judge = Callable[[Conversation], None]


class NotApplicable(Exception):
    """The program never did what the check is about; the message says what."""


@dataclass(frozen=True)
class ClientCheck:
    """A check, the circumstance it needs, and how it is judged."""

    id: str
    circumstance: str
    judge: Judge


CLIENT_CHECKS: dict[str, ClientCheck] = {}


def judges(check: str, circumstance: str = "healthy") -> Callable[[Judge], Judge]:
    """Enter a judge into the table; raises ValueError for an id used twice."""

    def enter(judge: Judge) -> Judge:
        if check in CLIENT_CHECKS:
            raise ValueError(f"client check {check} exists already")
        CLIENT_CHECKS[check] = ClientCheck(check, circumstance, judge)
        return judge

    return enter


def need(condition: object, what: str) -> None:
    """Not applicable unless the condition holds."""
    if not condition:
        raise NotApplicable(what)
