"""Which tools an answer calls, and with what.

`auto` calls the tools the user's words are about, and answers in words after a result; a tool
with a name or description that shares no word with the question is not called.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.ids import IdSource
from tinker_mock.server.text.messages import Message, last_user_text
from tinker_mock.server.text.schema_values import value_for

WORD = re.compile(r"[a-zA-Z]{3,}|[^\W\d_a-zA-Z]+")
COMMON = frozenset((
    "the", "and", "for", "you", "your", "with", "what", "this", "that", "how", "can", "are",
    "was", "will", "please", "tool", "tools", "use", "get", "from", "one", "all", "any", "into",
    "its", "let", "see", "who", "why", "when", "where", "about", "call", "function", "given",
    "returns", "return",
))  # fmt: skip
STEM = 5
KIMI_ID = re.compile(r"functions\.[^:]+:(\d+)")
MOST_CALLS = 3


@dataclass(frozen=True)
class ToolUse:
    """One call that will be made; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class ToolRequest:
    """The tools of a request and how they may be used. `told` of them, the last ones, stand in the
    messages. All are in the prompt; `allowed` are the names that may be called, None for all."""

    tools: list[dict[str, Any]]
    choice: str = "auto"
    named: str | None = None
    parallel: bool = True
    told: int = 0
    allowed: frozenset[str] | None = None

    @property
    def offered(self) -> list[dict[str, Any]]:
        """The tools that the request itself declares."""
        return self.tools[: len(self.tools) - self.told]

    @property
    def callable(self) -> list[dict[str, Any]]:
        """The tools that an answer may call."""
        if self.allowed is None:
            return self.tools
        return [tool for tool in self.tools if tool["function"]["name"] in self.allowed]


NO_TOOLS = ToolRequest([], "none")


def tool_request(body: dict[str, Any], told: list[dict[str, Any]] | None = None) -> ToolRequest:
    """From an OpenAI body, with the tools its messages tell; raises BadRequest for a choice
    without its tool."""
    tools = [*(body.get("tools") or []), *(told or [])]
    choice = body.get("tool_choice") or ("auto" if tools else "none")
    parallel = body.get("parallel_tool_calls") is not False
    named, allowed = None, None
    if isinstance(choice, dict) and "allowed_tools" in choice:
        allowed = frozenset(one["function"]["name"] for one in choice["allowed_tools"]["tools"])
        choice = choice["allowed_tools"]["mode"]
    elif isinstance(choice, dict):
        named, choice = choice["function"]["name"], "named"
    names = [tool["function"]["name"] for tool in tools]
    if (choice in ("required", "named") or allowed) and not tools:
        raise _refused("is only allowed when tools are given", "send tools")
    for name in [named] if named is not None else sorted(allowed or ()):
        if name not in names:
            fix = f"name one of {', '.join(names)}"
            raise _refused(f"names {name!r}, which is not in tools", fix)
    return ToolRequest(tools, choice, named, parallel, len(told or []), allowed)


def _refused(problem: str, fix: str) -> BadRequest:
    rule = "tool_choice fits the request's tools"
    return BadRequest(f"tool_choice: {problem}", pointer="/tool_choice", rule=rule, fix=fix)


def chosen_tools(request: ToolRequest, messages: list[Message]) -> list[dict[str, Any]]:
    """The tools the answer calls, in the order given; [] for an answer in words."""
    if request.choice == "none" or not request.tools:
        return []
    if request.named is not None:
        return [t for t in request.tools if t["function"]["name"] == request.named][:1]
    asked = last_user_text(messages)
    offered = request.callable
    ranked = [(relevance(tool["function"], asked or ""), tool) for tool in offered]
    best = max(score for score, _ in ranked)
    if request.choice == "required" and best == 0:
        return offered[:1]
    if asked is None and request.choice == "auto":
        return []
    wanted = [tool for score, tool in ranked if score and score >= best / 2]
    return wanted[: MOST_CALLS if request.parallel else 1]


def relevance(function: dict[str, Any], asked: str) -> int:
    """Words of the question that the tool's name (twice) and description share with it."""
    said = stems(asked)
    name = stems(function["name"].replace("_", " ").replace("-", " "))
    description = stems(function.get("description") or "")
    return 2 * len(said & name) + len(said & description)


def stems(text: str) -> set[str]:
    """Beginnings of the words that carry meaning; pairs of signs where words have no spaces."""
    found: set[str] = set()
    for word in WORD.findall(text):
        if word.isascii():
            found |= set() if word.lower() in COMMON else {word.lower()[:STEM]}
        else:
            found |= {word[at : at + 2] for at in range(max(1, len(word) - 1))}
    return found


def tool_uses(
    request: ToolRequest, messages: list[Message], ids: IdSource, seed: str, *, kimi: bool
) -> list[ToolUse]:
    """The calls with their ids and schema-valid arguments."""
    following = next_kimi_index(messages)
    uses = []
    for place, tool in enumerate(chosen_tools(request, messages)):
        function = tool["function"]
        number = ids.number("tool-arguments", seed, place)
        pointer = f"/tools/{request.tools.index(tool)}/function/parameters"
        schema = {"type": "object", **(function.get("parameters") or {})}
        value = value_for(schema, number, pointer)
        digest = ids.derive("tool-call", seed, place).replace("-", "")[:24]
        id = f"functions.{function['name']}:{following + place}" if kimi else f"call_{digest}"
        uses.append(ToolUse(id, function["name"], json.dumps(value, ensure_ascii=False)))
    return uses


def next_kimi_index(messages: list[Message]) -> int:
    """Kimi counts its calls over the whole conversation."""
    called = [c["id"] for message in messages for c in message.get("tool_calls") or ()]
    found = [int(match[1]) for id in called if (match := KIMI_ID.fullmatch(id))]
    return max(found, default=-1) + 1
