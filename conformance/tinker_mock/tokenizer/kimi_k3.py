"""Kimi K3's conversations, made ready for its prompt (`kimi_k3_prompt.jinja`).

K3 has no chat template: its prompt is written by code in the model's repository. What is known
of that code from public ports of it: vLLM #53246 and #51412, mlc-ai/xgrammar #806,
JustVugg/colibri #1143, and the K3 report's appendix on the chat template.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tinker_mock.tokenizer.errors import TokenizerError

GUARD = "\ue0f3"
"""Stands after the first sign of a control token that somebody only wrote; a private character.
One that was there is doubled, so that taking guards away gives the text back."""
ROLES = ("system", "user", "assistant", "tool")


def k3_messages(messages: Sequence[Any]) -> list[Any]:
    """Copies with arguments as objects, and tool results named, numbered and in the order of their
    calls. Raises TokenizerError `validation` for a role or a result that K3's prompt cannot say.
    """
    out: list[Any] = []
    calls: list[Any] = []
    results: list[tuple[int, Mapping[str, Any]]] = []
    for at, message in enumerate(messages):
        role = message.get("role") if isinstance(message, Mapping) else None
        if role not in ROLES:
            raise TokenizerError(
                "validation",
                f"messages[{at}]: Kimi K3 has no role {role!r}.",
                fix=f"Roles are {', '.join(ROLES)}.",
            )
        if role == "tool":
            results.append((at, message))
            continue
        out += _ordered(results, calls)
        results = []
        if role == "assistant":
            calls = list(message.get("tool_calls") or ())
            message = {**message, "tool_calls": [_with_object(call) for call in calls]}
        out.append(message)
    return out + _ordered(results, calls)


def _ordered(results: list[tuple[int, Mapping[str, Any]]], calls: list[Any]) -> list[Any]:
    """Results that all name a call follow the calls' order; else they stay, and are named by it."""
    places = {call.get("id"): place for place, call in reversed(list(enumerate(calls)))}
    found = [places.get(message.get("tool_call_id")) for _, message in results]
    order = list(range(len(results)))
    if None not in found:
        order.sort(key=lambda place: found[place] or 0)
    named = []
    for index, place in enumerate(order, 1):
        at, message = results[place]
        match = found[place] if found[place] is not None else index - 1
        name = message.get("tool") or message.get("name")
        if match is not None and match < len(calls):
            name = name or calls[match].get("function", {}).get("name")
        if not name:
            raise TokenizerError(
                "validation",
                f"messages[{at}]: a tool result that belongs to no call has no name.",
                fix="Give it the tool_call_id of a call before it, or a name.",
            )
        named.append({**message, "tool": name, "index": index})
    return named


def _with_object(call: Any) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    given = function.get("arguments") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(given, str | None):
        return call
    try:
        value = json.loads(given) if given and given.strip() else {}
    except ValueError:
        value = given
    # What is no object stays a text, and is written as one block.
    kept = value if isinstance(value, dict) else given
    return {**call, "function": {**function, "arguments": kept}}


def guard(value: Any, specials: re.Pattern[str]) -> Any:
    """`value` with a guard in every control token that stands in its texts."""
    if isinstance(value, str):
        doubled = value.replace(GUARD, GUARD * 2)
        return specials.sub(lambda match: f"{match[0][0]}{GUARD}{match[0][1:]}", doubled)
    if isinstance(value, Mapping):
        return {guard(key, specials): guard(item, specials) for key, item in value.items()}
    return [guard(item, specials) for item in value] if isinstance(value, list | tuple) else value


def without_guards(text: str) -> str:
    """What was guarded, as it was."""
    return re.sub(f"{GUARD}({GUARD}?)", r"\1", text)
