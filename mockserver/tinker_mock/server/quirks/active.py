"""The quirks by name, and those that are on."""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum


class Quirk(StrEnum):
    """Every quirk; `contracts/fidelity/quirks.yaml` says what each does and who says so."""

    INKLING_LONG_CONTEXT = "inkling-long-context"
    MAX_TOKENS_HELD = "max-tokens-held"
    MODELS_LIST_OWN = "models-list-own"
    OPENAI_ERRORS = "openai-errors"
    PLAIN_USAGE = "plain-usage"
    RESPONSE_FORMAT_IGNORED = "response-format-ignored"
    SAMPLER_ARCHIVES_ONLY = "sampler-archives-only"
    TOOLS_IGNORED = "tools-ignored"
    UNCACHED_PROMPTS = "uncached-prompts"
    UNKNOWN_MODELS_NOT_FOUND = "unknown-models-not-found"
    UPLOADS_CLOSED = "uploads-closed"
    GRADIENT_NORM_ALWAYS = "gradient-norm-always"


class UnknownQuirk(ValueError):
    """No quirk of that name; the message has the nearest, or all."""


def quirk_of(name: str) -> Quirk:
    """The quirk of a name; raises UnknownQuirk."""
    try:
        return Quirk(name)
    except ValueError:
        close = get_close_matches(str(name), Quirk, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(Quirk)}"
        raise UnknownQuirk(f"no quirk {name!r}; {hint}") from None


class ActiveQuirks:
    """Which quirks are on: the server's own, and those of its scenario.

    `own` is what the server was started with until the control API says otherwise.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.started_with = frozenset(map(quirk_of, names))
        self.own = self.started_with
        self.of_scenario: frozenset[Quirk] = frozenset()

    def __contains__(self, quirk: Quirk) -> bool:
        return quirk in self.own or quirk in self.of_scenario

    def names(self) -> list[str]:
        """The names of those that are on, sorted."""
        return sorted(self.own | self.of_scenario)
