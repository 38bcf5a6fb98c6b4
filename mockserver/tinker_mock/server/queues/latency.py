"""Latency profiles: how long an operation takes, as a pure function of seed and request.

A profile is a YAML file naming operations (globs) and their cost: a base time that is fixed,
normal or log-normal, plus time per token read (prefill) and per token written.
"""

import fnmatch
import math
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from tinker_mock.server.ids import draw
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.yaml_section import ScenarioError, Section, read_section

if TYPE_CHECKING:
    import statistics
else:
    statistics = LazyModule("statistics", rare=True)

SPREADS = ("fixed", "normal", "log-normal")
CLAMP = 0.7  # a normal draw stays within ±70 % of its mean, so that no time is negative
PROFILES = "tinker_mock.server.queues.profiles"


@dataclass(frozen=True)
class Cost:
    """Seconds: `base` drawn with `spread` (deviation as a fraction of it), plus token costs."""

    base: float = 0.0
    spread: str = "fixed"
    deviation: float = 0.0
    per_prompt_token: float = 0.0
    per_token: float = 0.0

    def seconds(self, chance: float, prompt_tokens: int, tokens: int) -> float:
        """`chance` in [0, 1) is the luck of this request: the same one, the same time."""
        score = statistics.NormalDist().inv_cdf(min(max(chance, 1e-9), 1 - 1e-9))
        factor = 1.0
        if self.spread == "normal":
            factor = 1 + min(max(self.deviation * score, -CLAMP), CLAMP)
        elif self.spread == "log-normal":
            factor = math.exp(self.deviation * score)
        fixed = self.per_prompt_token * prompt_tokens
        return fixed + (self.base + self.per_token * tokens) * factor


@dataclass(frozen=True)
class Profile:
    """A named table from operation to cost; the first glob that fits counts."""

    name: str
    summary: str
    costs: tuple[tuple[str, Cost], ...]

    def seconds(self, operation: str, prompt_tokens: int, tokens: int, *identity: object) -> float:
        for glob, cost in self.costs:
            if fnmatch.fnmatchcase(operation, glob):
                return cost.seconds(draw("latency", *identity), prompt_tokens, tokens)
        return 0.0


def read_profile(text: str, name: str) -> Profile:
    """A profile from YAML. Raises ScenarioError with line and reason."""
    top = read_section(text, name)
    summary = top.text("summary", "") or ""
    costs = tuple((_operation(row), _read_cost(row)) for row in top.sections("costs"))
    top.finish()
    return Profile(name, summary, costs)


def _operation(row: Section) -> str:
    operation = row.text("operation")
    if operation is None:
        raise row.fail("operation", "is required: the operation (or glob) this cost is for")
    return operation


def _read_cost(row: Section) -> Cost:
    spread = row.text("spread", "fixed") or "fixed"
    if spread not in SPREADS:
        raise row.fail("spread", f"must be one of {', '.join(SPREADS)}, got {spread!r}")
    cost = Cost(
        base=row.duration("base", 0.0) or 0.0,
        spread=spread,
        deviation=row.number("deviation", 0.0, 0.0, 5.0),
        per_prompt_token=row.duration("per_prompt_token", 0.0) or 0.0,
        per_token=row.duration("per_token", 0.0) or 0.0,
    )
    row.finish()
    return cost


def profile_names() -> list[str]:
    folder = resources.files(PROFILES)
    names = [item.name for item in folder.iterdir() if item.name.endswith(".yaml")]
    return sorted(name.removesuffix(".yaml") for name in names)


def named_profile(name: str) -> Profile:
    """A shipped profile. Raises ScenarioError naming the ones there are."""
    if name not in profile_names():
        reason = f"no latency profile {name!r}; there are {', '.join(profile_names())}"
        raise ScenarioError(name, 1, "latency", reason)
    file = resources.files(PROFILES) / f"{name}.yaml"
    return read_profile(file.read_text("utf-8"), name)
