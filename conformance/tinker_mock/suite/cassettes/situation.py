"""A program, and the mock that it needs: its scenario (rules and queue) and its flags.

Loaded in a real SDK's environment too: standard library only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

BASE = "Qwen/Qwen3-8B"
TOKENS = list(range(100, 110))
Program = Callable[[Any], dict[str, Any]]


@dataclass(frozen=True)
class Situation:
    """`reference`: the reference client sends what the SDK sends here. `clients`: who tells it,
    where that is not every SDK."""

    run: Program
    scenario: dict[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    reference: bool = True
    clients: tuple[str, ...] = ()


SITUATIONS: dict[str, Situation] = {}


def situation(
    *options: str,
    rules: Any = None,
    queue: Any = None,
    reference: bool = True,
    clients: tuple[str, ...] = (),
) -> Callable[[Program], Program]:
    """Register a program under its name with dashes."""
    scenario = {k: v for k, v in {"rules": rules, "queue": queue}.items() if v}

    def register(run: Program) -> Program:
        name = run.__name__.replace("_", "-")
        SITUATIONS[name] = Situation(run, scenario, options, reference, clients)
        return run

    return register


def rule(operation: str, effects: Any, **match: Any) -> dict[str, Any]:
    """What goes wrong with an operation: once, or as often as there are effects."""
    times = len(effects) if isinstance(effects, list) else 1
    return {
        "name": f"{operation}-{effects}"[:60].replace(" ", ""),
        "match": {"operation": operation, **match},
        "effects": effects,
        "times": times,
    }


def pair(api: Any) -> Any:
    """Predict each next token."""
    count = len(TOKENS) - 1
    return api.datum(TOKENS[:-1], target_tokens=TOKENS[1:], weights=[1.0] * count)


def short(api: Any, seed: int = 11) -> Any:
    return api.params(max_tokens=4, seed=seed, temperature=0.5)
