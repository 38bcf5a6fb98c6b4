"""Rules of a scenario: which exchanges meet which effects, decided without hidden randomness.

Chance is a hash of (seed, rule, the request's own bytes, how often they were seen), so the same
script meets the same bad luck whatever order the network delivers it in.
"""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.server.effects import EffectError, Step, parse_steps
from tinker_mock.server.ids import draw
from tinker_mock.server.recent_counts import RecentCounts
from tinker_mock.server.yaml_section import Section

SCOPES = ("all", "client", "request")
REMEMBERED = 10_000
"""Clients, or requests and their retries, that a rule counts apart."""


@dataclass(frozen=True)
class Subject:
    """What a rule may look at. `identity` is the same for a request and its retries."""

    operation: str
    identity: str
    models: tuple[str, ...] = ()
    client: str = ""
    tenant: str = ""
    promise: str = ""
    """The operation of the polled promise."""


@dataclass(frozen=True)
class Match:
    """Conditions, all of which must hold; an empty one holds always. Names are globs.

    `nth` counts matching exchanges from 1, per `scope`; `every` takes each so-manieth of them.
    """

    operations: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    promises: tuple[str, ...] = ()
    nth: frozenset[int] = frozenset()
    every: int | None = None
    chance: float = 1.0
    scope: str = "all"

    def concerns(self, subject: Subject) -> bool:
        """The conditions that do not count or roll."""
        return (
            _any(subject.operation, self.operations)
            and (not self.models or any(_any(name, self.models) for name in subject.models))
            and _any(subject.client, self.clients)
            and _any(subject.tenant, self.tenants)
            and _any(subject.promise, self.promises)
        )

    def key(self, subject: Subject) -> str:
        if self.scope == "client":
            return f"{subject.tenant} {subject.client}"
        return subject.identity if self.scope == "request" else ""


def _any(value: str, globs: tuple[str, ...]) -> bool:
    return not globs or any(fnmatch.fnmatchcase(value, glob) for glob in globs)


@dataclass
class Rule:
    """A match, its effects (one step per matching exchange, round and round) and a budget.

    The counters are the rule's memory: part of a snapshot.
    """

    name: str
    match: Match
    steps: list[Step]
    times: int | None = None
    seen: RecentCounts = field(default_factory=lambda: RecentCounts(REMEMBERED))
    rolled: RecentCounts = field(default_factory=lambda: RecentCounts(REMEMBERED))
    applied: int = 0

    def step_for(self, subject: Subject, seed: int) -> Step | None:
        """The effects this exchange meets by this rule, or None. Counts the exchange."""
        if not self.match.concerns(subject):
            return None
        turn = self.seen.count(self.match.key(subject))
        if self.times is not None and self.applied >= self.times:
            return None
        if not self._turn_counts(turn) or not self._lucky(subject, seed):
            return None
        self.applied += 1
        return self.steps[(self.applied - 1) % len(self.steps)]

    def _turn_counts(self, turn: int) -> bool:
        if self.match.nth and turn not in self.match.nth:
            return False
        return not self.match.every or turn % self.match.every == 0

    def _lucky(self, subject: Subject, seed: int) -> bool:
        if self.match.chance >= 1.0:
            return True
        again = self.rolled.count(subject.identity)
        return draw(seed, self.name, subject.identity, again) < self.match.chance


def read_rule(section: Section, position: int, operations: Iterable[str]) -> Rule:
    """A rule from its YAML; raises ScenarioError with line and reason."""
    known = list(operations)
    name = section.text("name") or f"rule-{position + 1}"
    matching = section.section("match")
    match = read_match(matching, known) if matching else Match()
    try:
        steps = parse_steps(section.raw("effects"))
    except EffectError as error:
        raise section.fail("effects", str(error)) from None
    rule = Rule(name, match, steps, section.integer("times", None, low=1))
    section.finish()
    _check_effects(section, rule, known)
    return rule


def read_match(section: Section, known: list[str]) -> Match:
    operations = section.names("operation")
    for glob in operations:
        if not fnmatch.filter(known, glob):
            raise section.fail("operation", f"no operation matches {glob!r}")
    scope = section.text("scope", "all") or "all"
    if scope not in SCOPES:
        raise section.fail("scope", f"must be one of {', '.join(SCOPES)}, got {scope!r}")
    match = Match(
        operations=tuple(operations),
        models=tuple(section.names("model")),
        clients=tuple(section.names("client")),
        tenants=tuple(section.names("tenant")),
        promises=tuple(section.names("promise")),
        nth=_turns(section),
        every=section.integer("every", None, low=1),
        chance=section.number("chance", 1.0, 0.0, 1.0),
        scope=scope,
    )
    section.finish()
    return match


def _turns(section: Section) -> frozenset[int]:
    value: Any = section.raw("nth")
    turns = [value] if isinstance(value, int) else value or []
    good = isinstance(turns, list) and all(type(turn) is int and turn >= 1 for turn in turns)
    if not good:
        raise section.fail("nth", f"must be a number from 1 or a list of them, got {value!r}")
    return frozenset(turns)


def _check_effects(section: Section, rule: Rule, known: list[str]) -> None:
    """An effect on polls makes no sense anywhere else: say so when loading, not when it fires."""
    reached = [name for name in known if _any(name, rule.match.operations)]
    for step in rule.steps:
        for effect in step:
            allowed = effect.form.operations
            stray = [name for name in reached if allowed is not None and name not in allowed]
            if stray:
                raise section.fail(
                    "effects",
                    f"{effect.word} acts on {', '.join(sorted(allowed or ()))} only, "
                    f"the rule also matches {stray[0]}",
                )
