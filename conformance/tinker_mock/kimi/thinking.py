"""Whether a request thinks, and what a forced tool choice becomes then.

Moonshot answers 400 "tool_choice 'required' is incompatible with thinking enabled" (and
'specified') on every model but K3, which takes the three words only and no named tool. Sources:
can1357/oh-my-pi #827 and #1077, UKGovernmentBEIS/inspect_ai #5152,
MoonshotAI/Kimi-Vendor-Verifier@3dad65a tests/k3_features/test_tool_choice.py.
"""

import re
from collections.abc import Mapping
from typing import Any

from tinker_mock.kimi.reports import Report, Reporter

THINKING_MODEL = re.compile(r"kimi.*(thinking|k2[._p-]?[5-9]|k[3-9])", re.IGNORECASE)
K3_MODEL = re.compile(r"kimi.*k[3-9]", re.IGNORECASE)
ALWAYS_THINKING = re.compile(r"kimi.*thinking", re.IGNORECASE)


def asked_to_think(request: Mapping[str, Any]) -> bool | None:
    """What the request itself says about thinking; None if it says nothing."""
    thinking = request.get("thinking")
    if isinstance(thinking, Mapping) and "type" in thinking:
        return bool(thinking["type"] != "disabled")
    if isinstance(thinking, bool):
        return thinking
    for holder in ("chat_template_kwargs", "extra_body"):
        given = request.get(holder)
        for name in ("thinking", "enable_thinking"):
            if isinstance(given, Mapping) and isinstance(given.get(name), bool):
                return bool(given[name])
    reasoning = request.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else None
    if isinstance(reasoning, Mapping) and isinstance(reasoning.get("enabled"), bool):
        return bool(reasoning["enabled"])
    return False if "none" in (effort, request.get("reasoning_effort")) else None


def thinks(request: Mapping[str, Any]) -> bool:
    """Whether the answer will be thought about: as asked, else as the model does by default."""
    model = str(request.get("model") or "")
    if ALWAYS_THINKING.search(model):
        return True
    asked = asked_to_think(request)
    return bool(THINKING_MODEL.search(model)) if asked is None else asked


def with_possible_tool_choice(request: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """A copy whose tool choice the model takes.

    A choice that was forced, where thinking is only the model's default, turns thinking off; where
    thinking was asked for or cannot be turned off, the choice becomes "auto".
    """
    choice, model = request.get("tool_choice"), str(request.get("model") or "")
    named = isinstance(choice, Mapping)
    if not named and choice not in ("required", "any"):
        return request
    if K3_MODEL.search(model):
        if choice == "required":
            return request
        report(Report("tool-choice", f"{choice!r} becomes 'required': K3 takes no named tool"))
        return {**request, "tool_choice": "required"}
    if not thinks(request):
        return request
    if asked_to_think(request) is None and not ALWAYS_THINKING.search(model):
        report(Report("tool-choice", f"{choice!r} turns thinking off, which refuses it"))
        return {**request, "thinking": {"type": "disabled"}}
    report(Report("tool-choice", f"{choice!r} becomes 'auto': thinking refuses it"))
    return {**request, "tool_choice": "auto"}
