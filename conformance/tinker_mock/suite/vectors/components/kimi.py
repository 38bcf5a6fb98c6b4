"""Kimi: the original's transformer in `compat="original"`, official parsers in our own parser."""

import copy
import json
from collections.abc import Mapping
from typing import Any

from tinker_mock.kimi import renderer_parse
from tinker_mock.kimi.call_ids import rename_id
from tinker_mock.kimi.dialects import read_by_all
from tinker_mock.kimi.framing import EventReader
from tinker_mock.kimi.markers import ToolTokens
from tinker_mock.kimi.original import BodyConsumed
from tinker_mock.kimi.reasoning import parse_reasoning
from tinker_mock.kimi.stream_parser import OFFICIAL, Parsed, Policy, StreamParser, parse
from tinker_mock.kimi.transformer import KimiTransformer, ToolMessageError
from tinker_mock.kimi.vendor_metrics import prepare_request, trigger_similarity, valid_call
from tinker_mock.suite.vectors.comparison import Component, Partial
from tinker_mock.tokenizer.typescript import tools_as_typescript

Entry = Mapping[str, Any]


def _original(given: Entry) -> KimiTransformer:
    return KimiTransformer(given["options"], compat="original")


def request_in(given: Any, entry: Entry) -> Any:
    """transformRequestIn."""
    try:
        return {"request": _original(given).request_in(copy.deepcopy(given["request"]))}
    except ToolMessageError as error:
        return {"error": str(error)}


def request_out(given: Any, entry: Entry) -> Any:
    """transformRequestOut, which must not change its argument."""
    before = copy.deepcopy(given["request"])
    out = _original(given).request_out(given["request"])
    return {"request": out, "input_mutated": given["request"] != before}


def answer(given: Any, entry: Entry) -> Any:
    """transformResponseOut of a whole answer."""
    request = {"messages": given.get("messages")}
    try:
        return {"response": _original(given).response(given["response"], request)}
    except BodyConsumed as error:
        return {"error": str(error)}


def streaming(given: Any, entry: Entry) -> Any:
    """transformResponseOut of a stream, chunk by chunk."""
    request = {"messages": given.get("messages")}
    stream = _original(given).stream(given["content_type"], request)
    if stream is None:
        return {"error": "not a stream"}
    chunks = [
        bytes(chunk["bytes"]) if isinstance(chunk, Mapping) else chunk.encode()
        for chunk in given["chunks"]
    ]
    body = b"".join(map(stream.feed, chunks)) + stream.finish()
    return {
        "body": body.decode("utf-8", "replace"),
        "data_events": _data(body),
        "content_type": "text/event-stream",
    }


def _data(body: bytes) -> list[Any]:
    """The data of a stream's events: [DONE], JSON, or what is neither."""
    reader = EventReader()
    frames = reader.feed(body) + reader.finish()
    return [_json(frame.data.strip()) for frame in frames if frame.data is not None]


def _json(data: str) -> Any:
    try:
        return data if data == "[DONE]" else json.loads(data)
    except ValueError:
        return {"raw": data}


def _calls(parsed: Parsed) -> list[dict[str, Any]]:
    return [
        {"id": call.id, "name": call.name, "arguments": call.arguments} for call in parsed.calls
    ]


def tool_parser(given: Any, entry: Entry) -> Any:
    """One text; without a section it is all content, stray markers included."""
    if ToolTokens.section_begin not in given["text"]:
        return {"content": given["text"], "tool_calls": []}
    parsed = parse(given["text"], given.get("tools"), policy=OFFICIAL)
    return {"content": parsed.content, "tool_calls": _calls(parsed)}


def stream_parser(given: Any, entry: Entry) -> Any:
    """The same text in chunks, with SGLang's rule for stray end markers."""
    policy = Policy(trailing=False, lenient=False, strip_stray_ends=True)
    parser = StreamParser(given.get("tools"), policy=policy)
    parsed = Parsed()
    for chunk in given["chunks"]:
        parsed.add(parser.feed(chunk))
    calls = _calls(parsed.add(parser.finish()))
    for call, wanted in zip(calls, entry["expected"]["tool_calls"], strict=False):
        if wanted["arguments"] is None:  # the source asserts the name only
            call["arguments"] = None
    return {"content": parsed.content, "tool_calls": calls}


def reasoning(given: Any, entry: Entry) -> Any:
    """Reasoning, content and calls of one text."""
    found = parse_reasoning(given["text"], given.get("tools"))
    return {
        "reasoning": found.reasoning,
        "content": found.answer.content,
        "tool_calls": _calls(found.answer),
    }


def metrics(given: Any, entry: Entry) -> Any:
    """The vendor verifier's rules."""
    if "tool_call" in given:
        return valid_call(given["tool_call"], given["tools"])
    if "pairs_model_official" in given:
        return trigger_similarity(given["pairs_model_official"])
    if "history_ids" in given:
        return [rename_id(value) for value in given["history_ids"]]
    return prepare_request(given["request"], given["model"])


def renderer(given: Any, entry: Entry) -> Any:
    """tinker-cookbook's reading of a sampled turn."""
    if entry["name"] == "stop_sequences":
        return [renderer_parse.END_OF_TURN_ID]
    if "response_text" not in given:
        return {
            "prompt": renderer_parse.DEFAULT_SYSTEM_PROMPT,
            "tools_prefix_roles": renderer_parse.prefix_roles(True),
            "no_tools_prefix_roles": renderer_parse.prefix_roles(False),
        }
    try:
        turn = renderer_parse.parse_turn(given["response_text"])
    except renderer_parse.RendererError as error:
        return {"error": type(error).__name__}
    return Partial(
        termination=turn.termination,
        content=turn.content,
        tool_calls=turn.tool_calls,
        unparsed_count=len(turn.unparsed),
        streaming_content=renderer_parse.parts(given["response_text"]),
    )


COMPONENTS: dict[str, Component] = {
    "kimi_transformer.request_in": request_in,
    "kimi_transformer.request_out": request_out,
    "kimi_transformer.id_repair": answer,
    "kimi_transformer.manual_parsing": answer,
    "kimi_transformer.streaming": streaming,
    "kimi_tool_parser": tool_parser,
    "kimi_tool_parser.dialects": lambda given, entry: dict(read_by_all(given["text"])),
    "kimi_stream_parser": stream_parser,
    "kimi_reasoning_parser": reasoning,
    "kimi_k25_tools_ts": lambda given, entry: tools_as_typescript(given["tools"]),
    "k2vv_metrics": metrics,
    "tinker_cookbook_parse": renderer,
}
