"""Whether draws follow a distribution, with a bound on false alarms.

Bernstein's inequality bounds each count; the bound is split among all counts that are looked at, so
a server that draws rightly is accused with a chance below `ALARM` a comparison.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

ALARM = 1e-6
OTHERS = "other tokens"
NOTHING = 1e-9
"""A share below it is a rounding error: such tokens must not come."""


def cut_at(logprobs: Mapping[int, float], temperature: float) -> dict[int, float]:
    """Chances among these tokens at a temperature, from log-probabilities at temperature 1."""
    tokens = list(logprobs)
    scaled = np.array([logprobs[token] for token in tokens], np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    return dict(zip(tokens, (weights / weights.sum()).tolist(), strict=True))


def unlikely(drawn: Sequence[int], chances: Mapping[int, float]) -> str:
    """How the draws contradict the chances of tokens; empty if they do not.

    Tokens without a chance of their own share what is left.
    """
    count = len(drawn)
    limit = math.log(2 * (len(chances) + 1) / ALARM)
    rest = max(0.0, 1.0 - sum(chances.values()))
    seen = {token: drawn.count(token) for token in chances}
    rows = [(str(token), seen[token], chance) for token, chance in chances.items()]
    rows.append((OTHERS, count - sum(seen.values()), rest))
    for name, times, chance in rows:
        mean = count * chance
        bound = math.sqrt(2 * mean * (1 - chance) * limit) + limit / 3
        if name == OTHERS and chance < NOTHING:
            bound = 0.5
        if abs(times - mean) > bound:
            return f"{name} came {times} times of {count}, expected {mean:.1f} ± {bound:.1f}"
    return ""
