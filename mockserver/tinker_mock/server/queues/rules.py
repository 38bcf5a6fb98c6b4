"""The `queue` part of a scenario: completion, capacity, limits, billing, lifetimes, cycles."""

import fnmatch
from dataclasses import dataclass, field, replace

from tinker_mock.server.queues.latency import Profile, named_profile, profile_names
from tinker_mock.server.settings import Limits
from tinker_mock.server.yaml_section import Section

MODES = ("reject", "pause")


@dataclass(frozen=True)
class Completion:
    """When the outcome of matching operations becomes visible. Seconds; the first match counts."""

    operations: tuple[str, ...] = ("*",)
    models: tuple[str, ...] = ("*",)
    after: float = 0.0
    polls: int = 0
    manual: bool = False
    latency: Profile | None = None

    def concerns(self, operation: str, base_model: str) -> bool:
        fits = fnmatch.fnmatchcase
        return any(fits(operation, glob) for glob in self.operations) and any(
            fits(base_model, glob) for glob in self.models
        )


@dataclass(frozen=True)
class Capacity:
    """Workers of the base models that match, and how long the first one takes to come up."""

    models: tuple[str, ...]
    workers: int
    cold_start: float = 0.0


@dataclass(frozen=True)
class RateLimit:
    """At most `requests` per `seconds` and API key. `reject` answers 429, `pause` queues."""

    operations: tuple[str, ...]
    requests: int
    seconds: float
    mode: str = "reject"

    def concerns(self, operation: str) -> bool:
        return any(fnmatch.fnmatchcase(operation, glob) for glob in self.operations)


@dataclass(frozen=True)
class BillingPause:
    """After `after_requests` accepted operations the key is refused (402) for `seconds`."""

    after_requests: int
    seconds: float


@dataclass(frozen=True)
class QueueRules:
    """All of it; the default runs everything at once, without limits."""

    completion: tuple[Completion, ...] = ()
    capacity: tuple[Capacity, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()
    billing: BillingPause | None = None
    retention: float | None = None
    session_timeout: float | None = None
    long_poll: float | None = None
    cycle: float | None = None
    default: Completion = field(default_factory=Completion)

    def limits(self, defaults: Limits) -> Limits:
        """The lifetimes that hold under these rules."""
        given = {
            "long_poll": self.long_poll,
            "retention": self.retention,
            "session_timeout": self.session_timeout,
        }
        return replace(defaults, **{k: v for k, v in given.items() if v is not None})

    def completion_for(self, operation: str, base_model: str) -> Completion:
        found = (rule for rule in self.completion if rule.concerns(operation, base_model))
        return next(found, self.default)

    def capacity_for(self, base_model: str) -> Capacity | None:
        for rule in self.capacity:
            if any(fnmatch.fnmatchcase(base_model, glob) for glob in rule.models):
                return rule
        return None


def read_queue(section: Section | None) -> QueueRules:
    """Queue rules from YAML; raises ScenarioError with line and reason."""
    if section is None:
        return QueueRules()
    billing = section.section("billing_pause")
    rules = QueueRules(
        completion=tuple(_completion(row) for row in section.sections("completion")),
        capacity=tuple(_capacity(row) for row in section.sections("capacity")),
        rate_limits=tuple(_rate_limit(row) for row in section.sections("rate_limits")),
        billing=_billing(billing) if billing else None,
        retention=section.duration("retention"),
        session_timeout=section.duration("session_timeout"),
        long_poll=section.duration("long_poll"),
        cycle=section.duration("cycle"),
    )
    section.finish()
    return rules


def _globs(row: Section, key: str) -> tuple[str, ...]:
    return tuple(row.names(key)) or ("*",)


def _completion(row: Section) -> Completion:
    name = row.text("latency")
    if name is not None and name not in profile_names():
        raise row.fail("latency", f"no profile {name!r}; there are {', '.join(profile_names())}")
    completion = Completion(
        operations=_globs(row, "operation"),
        models=_globs(row, "model"),
        after=row.duration("after", 0.0) or 0.0,
        polls=row.integer("polls", 0) or 0,
        manual=row.truth("manual"),
        latency=named_profile(name) if name else None,
    )
    row.finish()
    return completion


def _capacity(row: Section) -> Capacity:
    workers = row.integer("workers", None, low=1)
    if workers is None:
        raise row.fail("workers", "is required: how many operations of a base model run at once")
    capacity = Capacity(_globs(row, "model"), workers, row.duration("cold_start", 0.0) or 0.0)
    row.finish()
    return capacity


def _rate_limit(row: Section) -> RateLimit:
    requests, seconds = row.integer("requests", None, low=1), row.duration("per")
    if requests is None or not seconds:
        raise row.fail("requests", "requests and per are required, for example 10 and 1s")
    mode = row.text("mode", "reject") or "reject"
    if mode not in MODES:
        raise row.fail("mode", f"must be one of {', '.join(MODES)}, got {mode!r}")
    limit = RateLimit(_globs(row, "operation"), requests, seconds, mode)
    row.finish()
    return limit


def _billing(row: Section) -> BillingPause:
    seconds = row.duration("for")
    if not seconds:
        raise row.fail("for", "is required: how long the key is refused, for example 20s")
    pause = BillingPause(row.integer("after_requests", 0) or 0, seconds)
    row.finish()
    return pause
