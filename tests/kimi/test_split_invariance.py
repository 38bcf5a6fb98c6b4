"""However a text or stream is cut, the outcome is the same, and nothing is lost."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_mock.kimi import KimiTransformer
from tinker_mock.kimi.markers import ToolTokens
from tinker_mock.kimi.stream_parser import OFFICIAL, Parsed, Policy, StreamParser, parse

TOKENS = ToolTokens()
MARKERS = list(TOKENS.kinds)
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "parameters": {"properties": {}}}},
    {"type": "function", "function": {"name": "ns.tool", "parameters": {"properties": {"q": 1}}}},
]
WORDS = ["functions.get_weather:0", "functions.ns.tool:1", "0", "call_x", "weird@id", "ns.tool:3"]
ARGUMENTS = ['{"q": 1}', "{}", '{"city": "Bei', " ", "[1]", '{"s": "<|tool_call_"}']
pieces = st.one_of(
    st.sampled_from(MARKERS),
    st.sampled_from(WORDS + ARGUMENTS + [" text ", "\n", "<", "<|", "<|tool_call", "é漢🙂"]),
    st.sampled_from([marker[:-1] for marker in MARKERS]),
    st.text(max_size=6),
)
texts = st.lists(pieces, max_size=14).map("".join)


def well_formed(calls: list[tuple[str, str]]) -> str:
    body = "".join(
        f"{TOKENS.call_begin}{id}{TOKENS.argument_begin}{arguments}{TOKENS.call_end}"
        for id, arguments in calls
    )
    return f"{TOKENS.section_begin}{body}{TOKENS.section_end}"


sections = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from(ARGUMENTS)), min_size=1, max_size=3
).map(well_formed)
marked = st.one_of(texts, st.tuples(texts, sections, texts).map("".join))


def cut(data: Any, text: str) -> list[str]:
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    ends = [*places, len(text)]
    return [text[start:end] for start, end in zip([0, *places], ends, strict=True)]


@given(marked, st.sampled_from([Policy(), OFFICIAL, Policy(strip_stray_ends=True)]), st.data())
@settings(max_examples=300, deadline=None)
def test_the_parser_says_the_same_whatever_the_cuts(text: str, policy: Policy, data: Any) -> None:
    parser, parsed = StreamParser(TOOLS, policy=policy), Parsed()
    for chunk in cut(data, text):
        parsed.add(parser.feed(chunk))
    parsed.add(parser.finish())
    assert parsed == parse(text, TOOLS, policy=policy)


@given(marked)
@settings(max_examples=300, deadline=None)
def test_nothing_but_markers_and_space_around_arguments_is_lost(text: str) -> None:
    parsed = parse(text, TOOLS)
    kept = parsed.content + "".join(parsed.unparsed)
    kept += "".join(call.id + call.arguments for call in parsed.calls)
    for marker in MARKERS:
        text, kept = text.replace(marker, " "), kept.replace(marker, " ")
    assert sorted("".join(text.split())) == sorted("".join(kept.split()))


def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    body = {"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def assembled(body: bytes) -> dict[str, Any]:
    """What a client makes of a stream: strings concatenated, calls by index."""
    texts = {"content": "", "reasoning_content": ""}
    calls: dict[int, dict[str, str]] = {}
    reason = None
    for line in body.split(b"\n"):
        if not line.startswith(b"data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            reason = choice.get("finish_reason") or reason
            for field in texts:
                texts[field] += choice["delta"].get(field) or ""
            for call in choice["delta"].get("tool_calls", ()):
                mine = calls.setdefault(call["index"], {"id": "", "name": "", "arguments": ""})
                mine["id"] += call.get("id") or ""
                mine["name"] += call["function"].get("name") or ""
                mine["arguments"] += call["function"].get("arguments") or ""
    return {**texts, "reason": reason, "calls": [calls[index] for index in sorted(calls)]}


def whole(body: dict[str, Any]) -> dict[str, Any]:
    choice = body["choices"][0]
    message = choice["message"]
    calls = [{"id": call["id"], **call["function"]} for call in message.get("tool_calls") or ()]
    return {
        "content": message.get("content") or "",
        "reasoning_content": message.get("reasoning_content") or "",
        "reason": choice["finish_reason"],
        "calls": calls,
    }


HISTORY = [{"role": "tool", "tool_call_id": "functions.get_weather:4", "content": "r"}]
REQUEST = {"tools": TOOLS, "messages": HISTORY}


@given(marked, st.sampled_from(["stop", "length"]), st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_a_streamed_answer_equals_the_whole_one(
    text: str, reason: str, gather: bool, data: Any
) -> None:
    options = {"manualToolParsing": True, "assembleToolDeltas": gather}
    transformer = KimiTransformer(options)
    answer = {"choices": [{"message": {"content": text}, "finish_reason": reason}]}
    body = b"".join(chunk({"content": piece}) for piece in cut(data, text))
    body += chunk({}, reason) + b"data: [DONE]\n\n"
    size = data.draw(st.integers(1, 200))
    stream = transformer.stream("text/event-stream", REQUEST)
    assert stream is not None
    out = b"".join(stream.feed(body[at : at + size]) for at in range(0, len(body), size))
    assert assembled(out + stream.finish()) == whole(transformer.response(answer, REQUEST))


native_calls = st.lists(
    st.tuples(
        st.sampled_from(["call_1", "functions.get_weather:9", "get_weather:0", "", "0"]),
        st.sampled_from(["get_weather", "ns.tool"]),
        st.sampled_from(ARGUMENTS[:3]),
    ),
    min_size=1,
    max_size=4,
)


@given(native_calls, st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_fragments_of_native_calls_equal_the_whole_ones(
    calls: list[tuple[str, str, str]], normalize: bool, data: Any
) -> None:
    transformer = KimiTransformer({"idNormalization": normalize})
    body = b""
    for index, (id, name, arguments) in enumerate(calls):
        first = {"index": index, "id": id, "function": {"name": name, "arguments": ""}}
        body += chunk({"tool_calls": [first]})
        for piece in cut(data, arguments):
            body += chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    body += chunk({}, "stop") + b"data: [DONE]\n\n"
    size = data.draw(st.integers(1, 300))
    stream = transformer.stream("text/event-stream", REQUEST)
    assert stream is not None
    out = b"".join(stream.feed(body[at : at + size]) for at in range(0, len(body), size))
    message = {
        "content": None,
        "tool_calls": [
            {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id, name, arguments in calls
        ],
    }
    answer = {"choices": [{"message": message, "finish_reason": "stop"}]}
    expected = whole(transformer.response(answer, REQUEST))
    assert assembled(out + stream.finish()) == expected
    ids = [call["id"] for call in expected["calls"]]
    assert len(set(ids)) == len(ids)


@given(st.binary(max_size=400), st.sampled_from(["text/event-stream", "application/x-ndjson"]))
@settings(max_examples=150, deadline=None)
def test_garbage_never_raises(body: bytes, content_type: str) -> None:
    transformer = KimiTransformer({"manualToolParsing": True, "assembleToolDeltas": True})
    stream = transformer.stream(content_type, {"messages": 3, "tools": [None, {"function": []}]})
    assert stream is not None
    stream.feed(body)
    stream.finish()
    transformer.response_bytes(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "delta", "tool_calls", "function", "id", "index"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values, json_values)
@settings(max_examples=300, deadline=None)
def test_any_json_never_raises(body: Any, request: Any) -> None:
    transformer = KimiTransformer({"manualToolParsing": True, "assembleToolDeltas": True})
    asked = request if isinstance(request, dict) else {}
    transformer.response(body, asked)
    stream = transformer.stream("text/event-stream", asked)
    assert stream is not None
    stream.feed(f"data: {json.dumps(body)}\n\n".encode())
    stream.finish()
