"""The original's behaviour, defects included: what parity vectors were recorded from.

`README.md` lists every difference to the default. Nothing here is used unless asked for with
`compat="original"`.
"""

import codecs
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from tinker_mock.kimi.call_ids import IdForm
from tinker_mock.kimi.javascript import WHITESPACE, parse, stringify, trim
from tinker_mock.kimi.options import KimiOptions

HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}


class BodyConsumed(Exception):
    """Manual parsing met a body that is not JSON: the original hands on a spent response."""


def next_index(form: IdForm, messages: Any) -> int:
    """One more than the highest index in the history; a call without an id is an error."""
    ids: list[str] = []
    for message in messages if isinstance(messages, list) else ():
        ids += [call["id"] for call in message.get("tool_calls") or ()]
        if message.get("role") == "tool" and message.get("tool_call_id"):
            ids.append(message["tool_call_id"])
    if not all(isinstance(value, str) for value in ids):
        raise TypeError("an id that is not a string")
    return form.highest(ids) + 1


def repair(calls: list[Any], messages: Any, options: KimiOptions) -> list[Any]:
    """Repaired or renumbered calls; kept ids do not move the counter."""
    if not calls or not options.repairs_ids:
        return calls
    form = IdForm(options.id_prefix, anchored=False)
    following = next_index(form, messages)
    repaired = []
    for call in calls:
        if options.id_normalization or form.parse(call.get("id")) is None:
            call = {**call, "id": form.write(call["function"]["name"], following)}
            following += 1
        repaired.append(call)
    return repaired


def rewrite_answer(body: Any, request: Mapping[str, Any], options: KimiOptions) -> Any:
    """The first choice only; any surprise leaves the whole answer as it was."""
    if options.manual_tool_parsing:
        return _parse_manually(body, request, options)
    if not (options.id_normalization or options.repair_on_mismatch):
        return body
    try:
        choice = body["choices"][0]
        calls = choice["message"]["tool_calls"]
        if not isinstance(calls, list):
            return body
        calls = repair(calls, request.get("messages") or [], options)
    except (AttributeError, IndexError, KeyError, TypeError):
        return body
    choice = {**choice, "message": {**choice["message"], "tool_calls": calls}}
    if options.enforce_finish_reason_loop and calls:
        choice["finish_reason"] = "tool_calls"
    return {**body, "choices": [choice, *body["choices"][1:]]}


def _parse_manually(body: Any, request: Mapping[str, Any], options: KimiOptions) -> Any:
    if request.get("messages") is None:
        return body
    if isinstance(body, str):
        raise BodyConsumed("Body is unusable: Body has already been read")
    try:
        choice = body["choices"][0]
        message = dict(choice["message"])
        calls, content = marked_calls(message["content"], options)
        calls = repair(calls, request.get("messages") or [], options)
    except (AttributeError, IndexError, KeyError, TypeError):
        return body
    if not calls:
        return body
    choice = {**choice, "message": {**message, "content": content, "tool_calls": calls}}
    if options.enforce_finish_reason_loop:
        choice["finish_reason"] = "tool_calls"
    return {**body, "choices": [choice, *body["choices"][1:]]}


def marked_calls(text: str, options: KimiOptions) -> tuple[list[dict[str, Any]], str]:
    """The complete calls of the first section, and the trimmed text without that section."""
    tokens = options.tool_tokens
    section = re.search(_between(tokens.section_begin, tokens.section_end), text, re.DOTALL)
    if section is None:
        return [], text
    calls = []
    for match in re.finditer(_between(tokens.call_begin, tokens.call_end), section[1], re.DOTALL):
        before, marker, arguments = match[1].partition(tokens.argument_begin)
        if marker and before:
            calls.append(_marked_call(trim(before), trim(arguments)))
    return calls, trim(text[: section.start()] + text[section.end() :])


def _between(begin: str, end: str) -> str:
    return f"{re.escape(begin)}(.*?){re.escape(end)}"


def _marked_call(id: str, arguments: str) -> dict[str, Any]:
    segments = id.split(".")
    name = (segments[1].split(":")[0] if len(segments) > 1 else "") or id
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


class OriginalStream:
    """Line based; every JSON line is written anew, and the provider's blank line follows it."""

    def __init__(self, request: Mapping[str, Any] | None, options: KimiOptions) -> None:
        self.messages = (request or {}).get("messages") or []
        self.options = options
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.waiting: list[str] = []
        self.has_line = False
        self.calls: dict[Any, dict[str, Any]] = {}
        self.finalized = False

    def feed(self, chunk: bytes) -> bytes:
        """Lines up to the last newline, or up to `[DONE]`."""
        text = self.decoder.decode(chunk)
        self.waiting.append(text)
        if not (self.has_line or "\n" in text):
            return b""
        *lines, rest = "".join(self.waiting).split("\n")
        out = []
        for at, raw in enumerate(lines):
            line = raw.rstrip(WHITESPACE)
            data = line[5:].lstrip(WHITESPACE) if line.startswith("data:") else None
            if data == "[DONE]":
                out.append(self._flush() + "data: [DONE]\n\n")
                self.has_line = at + 1 < len(lines)
                self.waiting = ["\n".join([*lines[at + 1 :], rest])]
                break
            out.append(raw + "\n" if data is None else self._data(data, raw))
        else:
            self.waiting, self.has_line = [rest], False
        return "".join(out).encode("utf-8", "surrogatepass")

    def finish(self) -> bytes:
        """The synthesized chunk, if it is still due; an unterminated line is lost."""
        return self._flush().encode("utf-8", "surrogatepass")

    def _data(self, data: str, raw: str) -> str:
        try:
            parsed = parse(data)
        except ValueError:
            return raw + "\n"
        written = f"data: {stringify(parsed)}\n\n"
        choices = parsed.get("choices") if isinstance(parsed, dict) else None
        choice = choices[0] if isinstance(choices, list) and choices else {}
        if not self.options.assemble_tool_deltas or not isinstance(choice, dict):
            return written
        fragments = (choice.get("delta") or {}).get("tool_calls")
        if isinstance(fragments, list):
            for fragment in fragments:
                self._gather(fragment)
            return written
        if choice.get("finish_reason") == "tool_calls":
            return self._flush() + written
        return written

    def _gather(self, fragment: dict[str, Any]) -> None:
        index = fragment.get("index")
        index = 0 if index is None else index
        function = fragment.get("function") or {}
        call = self.calls.setdefault(
            index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        if isinstance(fragment.get("id"), str) and fragment["id"]:
            call["id"] = fragment["id"]
        if function.get("name"):
            call["function"]["name"] = function["name"]
        if isinstance(function.get("arguments"), str):
            call["function"]["arguments"] += function["arguments"]
        if not call["id"] and call["function"]["name"]:
            prefix = self.options.id_prefix or "functions"
            call["id"] = f"{prefix}.{call['function']['name']}:{index}"

    def _flush(self) -> str:
        if not self.options.assemble_tool_deltas or self.finalized or not self.calls:
            return ""
        calls = [self.calls[index] for index in sorted(self.calls)]
        with suppress(AttributeError, KeyError, TypeError):  # a history that cannot be counted
            calls = repair(calls, self.messages, self.options)
        self.finalized = True
        choice = {"delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}
        chunk = {"object": "chat.completion.chunk", "choices": [choice]}
        return f"data: {stringify(chunk)}\n\n"
