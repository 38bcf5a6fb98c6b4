"""Tool-call ids: `functions.{name}:{index}`, with one counter for the whole conversation."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PREFIX = "functions"


@dataclass(frozen=True)
class CallId:
    """A parsed id."""

    name: str
    index: int

    def is_of(self, function: str) -> bool:
        """Whether it is that of a call of this function, with or without its namespace."""
        return self.name == function or self.name.endswith("." + function)


class IdForm:
    """The form of ids under one prefix. `anchored=False` is the original's search anywhere."""

    def __init__(self, prefix: str = PREFIX, *, anchored: bool = True) -> None:
        self.prefix = prefix
        self.anchored = anchored
        if anchored:
            form = rf"{re.escape(prefix)}\.([^:]+):([0-9]+)"
        else:  # the original's dot is unescaped and matches any character of a line
            form = rf"{re.escape(prefix)}[^\n\r\u2028\u2029]([^:]+):([0-9]+)"
        self.pattern = re.compile(form)

    def parse(self, value: object) -> CallId | None:
        """The name and index in an id of this form, else None."""
        if not isinstance(value, str):
            return None
        match = self.pattern.fullmatch(value) if self.anchored else self.pattern.search(value)
        return CallId(match[1], int(match[2])) if match else None

    def write(self, name: str, index: int) -> str:
        """The id of call number `index` of the conversation."""
        return f"{self.prefix}.{name}:{index}"

    def highest(self, ids: Iterable[object]) -> int:
        """The greatest index among the ids of this form; -1 without any."""
        texts = (value for value in ids if isinstance(value, str))
        found = (match for text in texts for match in self._matches(text))
        return max((int(match[2]) for match in found), default=-1)

    def _matches(self, text: str) -> Iterable[re.Match[str]]:
        if not self.anchored:
            return self.pattern.finditer(text)
        match = self.pattern.fullmatch(text)
        return [match] if match else []


def history_ids(messages: object) -> Iterator[object]:
    """Every tool-call id a conversation mentions, whatever the shape of its messages."""
    for message in messages if isinstance(messages, Sequence) else ():
        if not isinstance(message, Mapping):
            continue
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, Sequence) else ():
            if isinstance(call, Mapping):
                yield call.get("id")
        if message.get("role") == "tool":
            yield message.get("tool_call_id")


class IdRepair:
    """Gives the calls of one answer their ids. One instance an answer (and choice).

    Every repaired id takes the next number of the conversation, behind the ids kept before it,
    and an id used twice keeps only its first use: ids of one conversation are never equal.
    """

    def __init__(self, form: IdForm, messages: object, *, renumber_all: bool = False) -> None:
        self.form = form
        self.renumber_all = renumber_all
        self.next_index = form.highest(history_ids(messages)) + 1
        self.taken: set[str] = set()

    def resolve(self, given: object, name: str) -> str:
        """The id for a call of function `name` that came with the id `given`."""
        parsed = self.form.parse(given)
        if parsed and not self.renumber_all and (not name or parsed.is_of(name)):
            kept = str(given)
            if kept not in self.taken:
                self.taken.add(kept)
                self.next_index = max(self.next_index, parsed.index + 1)
                return kept
        index, self.next_index = self.next_index, self.next_index + 1
        self.taken.add(self.form.write(name, index))
        return self.form.write(name, index)


def rename_history_ids(messages: list[Any], prefix: str = PREFIX) -> list[Any]:
    """Past ids in the official form: `search:0` becomes `functions.search:0`; others stay.

    Source: K2-Vendor-Verifier README, "Rename Tool Call IDs". Messages are copied, not changed.
    """
    return [_renamed(message, prefix) for message in messages]


def rename_id(value: object, prefix: str = PREFIX) -> object:
    """One past id: prefixed if it is a bare `name:index`."""
    if isinstance(value, str) and re.fullmatch(r"[^\s:.]+(\.[^\s:.]+)*:[0-9]+", value):
        return value if value.startswith(f"{prefix}.") else f"{prefix}.{value}"
    return value


def _renamed(message: Any, prefix: str) -> Any:
    if not isinstance(message, Mapping):
        return message
    copy = dict(message)
    if "tool_call_id" in copy:
        copy["tool_call_id"] = rename_id(copy["tool_call_id"], prefix)
    if isinstance(copy.get("tool_calls"), list):
        copy["tool_calls"] = [
            {**call, "id": rename_id(call["id"], prefix)}
            if isinstance(call, Mapping) and "id" in call
            else call
            for call in copy["tool_calls"]
        ]
    return copy
