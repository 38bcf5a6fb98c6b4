"""How much a model is asked to reason: a number from 0.0, not at all, to below 1.0.

Words and their numbers are those of the service's documentation
(cookbook/inkling/thinking-effort); `max` is on its Anthropic-compatible endpoint only, and means
what `xhigh` means on the other.
"""

import math
from typing import Any

OPENAI_EFFORTS = {
    "none": 0.0,
    "minimal": 0.1,
    "low": 0.2,
    "medium": 0.7,
    "high": 0.9,
    "xhigh": 0.99,
}
ANTHROPIC_EFFORTS = {name: OPENAI_EFFORTS[name] for name in ("low", "medium", "high", "xhigh")} | {
    "max": OPENAI_EFFORTS["xhigh"]
}
DEFAULT_EFFORT = OPENAI_EFFORTS["high"]
MOST_THOUGHTS = 64
"""Tokens of reasoning that an effort of 1 would be."""


def openai_effort(body: dict[str, Any]) -> float:
    """Of a chat completion: `reasoning_effort`, unless its template's switch is off."""
    template = body.get("chat_template_kwargs") or {}
    if False in [template.get(name) for name in ("thinking", "enable_thinking")]:
        return 0.0
    effort = body.get("reasoning_effort")
    if effort is None:
        return DEFAULT_EFFORT
    return OPENAI_EFFORTS[effort] if isinstance(effort, str) else float(effort)


def anthropic_effort(body: dict[str, Any]) -> float:
    """Of messages: `output_config.effort`, unless `thinking` is disabled."""
    if (body.get("thinking") or {}).get("type") == "disabled":
        return 0.0
    effort = (body.get("output_config") or {}).get("effort")
    return DEFAULT_EFFORT if effort is None else ANTHROPIC_EFFORTS[effort]


def effort_message(effort: float) -> dict[str, Any]:
    """What Inkling's renderer tells the model, before the first message that is no system's."""
    return {"role": "system", "content": f"Thinking effort level: {effort:g}"}


def with_effort(messages: list[dict[str, Any]], effort: float) -> list[dict[str, Any]]:
    """A conversation with its effort said where Inkling's renderer says it."""
    first = next((i for i, m in enumerate(messages) if m["role"] != "system"), len(messages))
    return [*messages[:first], effort_message(effort), *messages[first:]]


def kimi_effort(effort: float) -> str:
    """The nearest of the words that Kimi K3's prompt knows."""
    return "low" if effort < OPENAI_EFFORTS["medium"] else "high" if effort < 0.95 else "max"


def thoughts_for(effort: float) -> int:
    """The most tokens of reasoning at an effort."""
    return math.ceil(effort * MOST_THOUGHTS)
