"""A whole (not streamed) chat completion, put right: markers, ids, finish_reason."""

import json
from collections.abc import Mapping
from typing import Any

from tinker_mock.kimi.call_ids import IdForm, IdRepair
from tinker_mock.kimi.histories import counted_history
from tinker_mock.kimi.json_text import is_json
from tinker_mock.kimi.options import KimiOptions
from tinker_mock.kimi.reports import Report, Reporter
from tinker_mock.kimi.stream_parser import CallArguments, CallEnd, CallStart
from tinker_mock.kimi.texts import Found, MarkedTexts, with_rest

LOOPED_REASONS = (None, "", "stop")
"""Reasons that become tool_calls. Every other one stays: an answer that was cut off, filtered or
broken by an error must not look like one whose calls can be run."""


def looped_finish_reason(reason: Any, options: KimiOptions, report: Reporter) -> Any:
    """The finish_reason of an answer that has tool calls."""
    if not options.enforce_finish_reason_loop or reason not in LOOPED_REASONS:
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
    cut_off = False
    if options.manual_tool_parsing:
        marked, cut_off = _take_marked_calls(message, request, options, report)
        calls += marked
    if not calls:
        return {**choice, "message": message}
    if options.repairs_ids:
        form = IdForm(options.id_prefix)
        repair = IdRepair(
            form, counted_history(request, options), renumber_all=options.id_normalization
        )
        calls = [_with_id(call, repair, report) for call in calls]
    message["tool_calls"] = calls
    if cut_off or choice.get("error"):
        return {**choice, "message": message}
    if "finish_reason" not in choice and not options.enforce_finish_reason_loop:
        return {**choice, "message": message}
    reason = looped_finish_reason(choice.get("finish_reason"), options, report)
    return {**choice, "message": message, "finish_reason": reason}


def _take_marked_calls(
    message: dict[str, Any], request: Mapping[str, Any], options: KimiOptions, report: Reporter
) -> tuple[list[dict[str, Any]], bool]:
    """Move marked calls out of the message's texts; what is no call stays in the text. Also says
    whether the text ended inside a call that cannot be run as it stands."""
    texts = MarkedTexts(request.get("tools"), options.tool_tokens, report)
    taken, found = texts.take(message)
    rest, late = texts.finish()
    calls, cut_off = marked_calls(found + late)
    for field, value in taken.items():
        if field in rest or value != message[field]:
            message[field] = with_rest(value, rest.get(field))
    return calls, cut_off


def marked_calls(found: Found) -> tuple[list[dict[str, Any]], bool]:
    """The calls that events tell, in the order they began, and whether one is cut off."""
    pieces: dict[tuple[str, int], list[str]] = {}
    calls: dict[tuple[str, int], dict[str, Any]] = {}
    unended = set()
    for field, event in found:
        match event:
            case CallStart(index, id, name):
                calls[field, index] = tool_call(id, name)
                pieces[field, index] = []
            case CallArguments(index, piece):
                pieces[field, index].append(piece)
            case CallEnd(index, complete) if not complete:
                unended.add((field, index))
    for key, call in calls.items():
        call["function"]["arguments"] = "".join(pieces[key])
    cut_off = any(not is_json(calls[key]["function"]["arguments"]) for key in unended)
    return list(calls.values()), cut_off


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
