"""A whole (not streamed) chat completion, put right: markers, ids, finish_reason."""

import json
from collections.abc import Mapping
from typing import Any

from tinker_mock.kimi.call_ids import IdForm, IdRepair
from tinker_mock.kimi.options import KimiOptions
from tinker_mock.kimi.reports import Report, Reporter
from tinker_mock.kimi.stream_parser import CallArguments, CallStart, StreamParser, Text, Unparsed

TEXT_FIELDS = ("content", "reasoning_content")
FINAL_REASONS = frozenset({"tool_calls", "length", "content_filter"})
"""Reasons that stay: a truncated answer must not look like one whose calls can be run."""


def looped_finish_reason(reason: Any, options: KimiOptions, report: Reporter) -> Any:
    """The finish_reason of an answer that has tool calls."""
    if not options.enforce_finish_reason_loop or reason in FINAL_REASONS:
        return reason
    report(Report("finish-reason", f"{reason!r} becomes 'tool_calls'"))
    return "tool_calls"


def rewrite_answer(
    body: Mapping[str, Any], request: Mapping[str, Any], options: KimiOptions, report: Reporter
) -> dict[str, Any]:
    """A copy of `body` with every choice put right; anything unexpected stays as it is."""
    choices = body.get("choices")
    if not isinstance(choices, list):
        return dict(body)
    return {**body, "choices": [_choice(one, request, options, report) for one in choices]}


def _choice(choice: Any, request: Mapping[str, Any], options: KimiOptions, report: Reporter) -> Any:
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(message, Mapping):
        return choice
    message = dict(message)
    native = message.get("tool_calls")
    calls = list(native) if isinstance(native, list) else []
    if options.manual_tool_parsing:
        calls += _take_marked_calls(message, request, options, report)
    if not calls:
        return {**choice, "message": message}
    if options.repairs_ids:
        form = IdForm(options.id_prefix)
        repair = IdRepair(form, request.get("messages"), renumber_all=options.id_normalization)
        calls = [_with_id(call, repair, report) for call in calls]
    message["tool_calls"] = calls
    if "finish_reason" not in choice and not options.enforce_finish_reason_loop:
        return {**choice, "message": message}
    reason = looped_finish_reason(choice.get("finish_reason"), options, report)
    return {**choice, "message": message, "finish_reason": reason}


def _take_marked_calls(
    message: dict[str, Any], request: Mapping[str, Any], options: KimiOptions, report: Reporter
) -> list[dict[str, Any]]:
    """Move marked calls out of the message's texts; what is no call stays in the text."""
    calls: list[dict[str, Any]] = []
    for field in TEXT_FIELDS:
        if not isinstance(message.get(field), str):
            continue
        parser = StreamParser(request.get("tools"), options.tool_tokens)
        text, found = "", len(calls)
        for event in parser.feed(message[field]) + parser.finish():
            match event:
                case Text(piece):
                    text += piece
                case Unparsed(raw):
                    report(Report("unparsed", raw))
                    text += raw
                case CallStart(_, id, name):
                    calls.append(tool_call(id, name))
                case CallArguments(index, piece):
                    calls[found + index]["function"]["arguments"] += piece
        if len(calls) > found or text != message[field]:
            message[field] = text or None
    return calls


def tool_call(id: str, name: str, arguments: str = "") -> dict[str, Any]:
    """A tool call in the OpenAI shape."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _with_id(call: Any, repair: IdRepair, report: Reporter) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(name, str) or not name:
        return call
    id = repair.resolve(call.get("id"), name)
    if id != call.get("id"):
        report(Report("id-repaired", f"{call.get('id')!r} becomes {id!r}"))
    copy = {**call, "id": id}
    if not isinstance(function.get("arguments"), str | None):
        copy["function"] = {**function, "arguments": json.dumps(function["arguments"])}
    return copy
