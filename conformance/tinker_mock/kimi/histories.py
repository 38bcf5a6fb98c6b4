"""Past turns as Kimi endpoints take them: ids in Kimi's form, and the reasoning of every call.

Foreign ids (`call_…`, `toolu_…`) in a history make Kimi models write markers into the content
after a few turns (vybestack/llxprt-code #712). Moonshot refuses calls without
`reasoning_content` while thinking is on; kimi-k2.5 and k2.6 take an empty one for a missing one,
and a single space for one that is there (theopenco/llmgateway #2093).
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from tinker_mock.kimi.call_ids import IdForm, history_ids, rename_id
from tinker_mock.kimi.options import KimiOptions
from tinker_mock.kimi.reports import Report, Reporter, log_report
from tinker_mock.kimi.texts import plain_text

NO_REASONING = " "
REASONING_NAMES = ("reasoning", "thinking", "reasoning_details")


def counted_history(request: Mapping[str, Any], options: KimiOptions) -> Any:
    """The messages whose ids the next call's id goes on from."""
    messages = request.get("messages")
    if not options.repair_history or not options.repairs_ids or not isinstance(messages, list):
        return messages
    return with_kimi_ids(messages, options.id_prefix, lambda report: None)


def with_kimi_ids(messages: list[Any], prefix: str, report: Reporter = log_report) -> list[Any]:
    """Copies of the messages whose calls have Kimi's ids, each once, and whose tool messages
    follow them. Ids in form, of the function called, stay; the others take the next free number
    of the conversation."""
    return _Renaming(messages, prefix, report).messages()


class _Renaming:
    """One conversation's ids, in order."""

    def __init__(self, given: list[Any], prefix: str, report: Reporter) -> None:
        self.given = given
        self.form = IdForm(prefix)
        self.prefix = prefix
        self.report = report
        parsed = (self.form.parse(id) for id in history_ids(given))
        self.reserved = {id.index for id in parsed if id is not None}
        self.used: set[str] = set()
        self.following = 0
        # What a tool message's id means now: the calls of the latest turn that used it.
        self.meanings: dict[object, deque[str]] = {}

    def messages(self) -> list[Any]:
        """All of them."""
        return [self._message(message) for message in self.given]

    def _message(self, message: Any) -> Any:
        if not isinstance(message, Mapping):
            return message
        calls = message.get("tool_calls")
        if isinstance(calls, list) and calls:
            fresh: dict[object, deque[str]] = {}
            renamed = [self._call(call, fresh) for call in calls]
            self.meanings |= fresh
            return message if renamed == calls else {**message, "tool_calls": renamed}
        if message.get("role") != "tool":
            return message
        given = message.get("tool_call_id")
        meant = self.meanings.get(given) if isinstance(given, str) else None
        if meant is None:
            return message
        id = meant.popleft() if len(meant) > 1 else meant[0]
        return message if id == given else {**message, "tool_call_id": id}

    def _call(self, call: Any, fresh: dict[object, deque[str]]) -> Any:
        function = call.get("function") if isinstance(call, Mapping) else None
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(name, str) or not name:
            return call
        given = call.get("id")
        id = self._id(given, name)
        fresh.setdefault(given if isinstance(given, str) else None, deque()).append(id)
        if id == given:
            return call
        self.report(Report("history-id", f"{given!r} becomes {id!r}"))
        return {**call, "id": id}

    def _id(self, given: object, name: str) -> str:
        written = given if self.form.parse(given) else rename_id(given, self.prefix)
        parsed = self.form.parse(written)
        # Kimi's prompt tells of a past call by its id alone: one of another function would be
        # that function's call.
        if parsed is not None and parsed.is_of(name) and written not in self.used:
            self.used.add(str(written))
            self.following = max(self.following, parsed.index + 1)
            return str(written)
        while self.following in self.reserved:
            self.following += 1
        id = self.form.write(name, self.following)
        self.used.add(id)
        self.following += 1
        return id


def with_reasoning(messages: list[Any], report: Reporter = log_report) -> list[Any]:
    """Copies of the messages in which every assistant turn with calls has `reasoning_content`."""
    return [_reasoned(at, message, report) for at, message in enumerate(messages)]


def _reasoned(at: int, message: Any, report: Reporter) -> Any:
    if not isinstance(message, Mapping) or message.get("role") != "assistant":
        return message
    if not message.get("tool_calls") or message.get("reasoning_content"):
        return message
    texts = (plain_text(message.get(name)) for name in REASONING_NAMES)
    found = next((text for text in texts if text), NO_REASONING)
    report(Report("reasoning-added", f"messages[{at}] had no reasoning_content"))
    return {**message, "reasoning_content": found}
