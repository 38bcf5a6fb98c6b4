"""Comparing answers: shape always, numbers where they must be equal."""

import math
from collections.abc import Mapping
from typing import Any

TOLERANCE = 1e-6
VALUES_BELOW = frozenset(
    {
        "choices",
        "logprob",
        "loss_fn_outputs",
        "metrics",
        "prompt_logprobs",
        "sequences",
        "token_id",
    }
)
"""Fields whose content follows from weights, data and seed."""


def differences(recorded: Any, live: Any, *, values: bool, at: str = "") -> list[str]:
    """Every difference, as "POINTER: what". Lists of records may differ in length."""
    if isinstance(recorded, Mapping):
        if not isinstance(live, Mapping):
            return [f"{at or '/'}: {_kind(live)}, recorded an object"]
        missing = [f"{at}/{name}: missing" for name in recorded.keys() - live.keys()]
        extra = [f"{at}/{name}: not recorded" for name in live.keys() - recorded.keys()]
        inside = [
            one
            for name in recorded.keys() & live.keys()
            for one in _field(name, recorded[name], live[name], values, at)
        ]
        return sorted(missing + extra) + inside
    if isinstance(recorded, list):
        if not isinstance(live, list):
            return [f"{at or '/'}: {_kind(live)}, recorded a list"]
        pairs = enumerate(zip(recorded, live, strict=False))
        return [
            one for i, (a, b) in pairs for one in differences(a, b, values=values, at=f"{at}/{i}")
        ]
    if _kind(recorded) != _kind(live) and None not in (recorded, live):
        return [f"{at or '/'}: {_kind(live)}, recorded {_kind(recorded)}"]
    return []


def unequal(recorded: Any, live: Any, at: str = "") -> list[str]:
    """Every difference in value; numbers may differ by 1e-6."""
    if isinstance(recorded, Mapping) and isinstance(live, Mapping):
        if recorded.keys() != live.keys():
            return [f"{at or '/'}: fields {sorted(live)}, recorded {sorted(recorded)}"]
        return [d for name in recorded for d in unequal(recorded[name], live[name], f"{at}/{name}")]
    if isinstance(recorded, list) and isinstance(live, list):
        if len(recorded) != len(live):
            return [f"{at or '/'}: {len(live)} items, recorded {len(recorded)}"]
        pairs = enumerate(zip(recorded, live, strict=True))
        return [d for i, (a, b) in pairs for d in unequal(a, b, f"{at}/{i}")]
    if _is_number(recorded) and _is_number(live):
        close = math.isclose(recorded, live, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        return [] if close else [f"{at}: {live!r}, recorded {recorded!r}"]
    return [] if recorded == live else [f"{at}: {live!r}, recorded {recorded!r}"]


def _field(name: str, recorded: Any, live: Any, values: bool, at: str) -> list[str]:
    if values and name in VALUES_BELOW:
        return unequal(recorded, live, f"{at}/{name}")
    return differences(recorded, live, values=values, at=f"{at}/{name}")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if _is_number(value):
        return "a number"
    return {"str": "a string", "dict": "an object", "list": "a list"}[type(value).__name__]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
