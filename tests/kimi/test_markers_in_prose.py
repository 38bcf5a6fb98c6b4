"""A marker that prose or code only mentions stays where it stands, whole and streamed."""

import json
from typing import Any

import pytest

from tinker_mock.kimi import KimiTransformer
from tinker_mock.kimi.dialects import official_guidance
from tinker_mock.kimi.markers import ToolTokens
from tinker_mock.kimi.stream_parser import LONGEST_LEAD, OFFICIAL, Parsed, StreamParser, parse

T = ToolTokens()
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}]
CALL = f'{T.call_begin}functions.get_weather:0{T.argument_begin}{{"city":"P"}}{T.call_end}'
SECTION = f"{T.section_begin}{CALL}{T.section_end}"
PROSE = [
    f"The token {T.section_begin} starts a section.",
    f"A section runs from `{T.section_begin}` to `{T.section_end}`; nothing else is special.",
    f"{T.section_begin}{T.section_end}",
    f"{T.section_begin}\n  {T.section_end} is empty",
    f"{T.section_end} ends it, {T.section_begin} begins it",
    f"each call has {T.call_begin}, {T.argument_begin} and {T.call_end}",
    f"# stops\nMARKS = ['{T.section_begin}', '{T.section_end}', '{T.call_begin}']\n",
    f"First {T.section_begin}, then {T.call_begin}, an id, {T.argument_begin}, {T.section_end}.",
    f"<|tool_call_section_begin|> (singular) is no official marker, {T.section_begin} is",
    f"{T.section_begin}{T.section_begin} twice",
    f"Quoted: {T.section_begin}" + " and a long explanation" * 60 + f" until {T.section_end}",
]


def answered(text: str) -> dict[str, Any]:
    body = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    transformer = KimiTransformer({"manualToolParsing": True})
    return dict(transformer.response(body, {"tools": TOOLS, "messages": []})["choices"][0])


def streamed(text: str, size: int) -> tuple[str, list[Any], str | None]:
    transformer = KimiTransformer({"manualToolParsing": True})
    stream = transformer.stream("text/event-stream", {"tools": TOOLS, "messages": []})
    assert stream is not None
    pieces = [{"content": text[at : at + size]} for at in range(0, len(text), size)]
    out = b""
    for delta, reason in [*((piece, None) for piece in pieces), ({}, "stop")]:
        chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        out += stream.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    out += stream.feed(b"data: [DONE]\n\n") + stream.finish()
    content, calls, reason = "", [], None
    for line in out.splitlines():
        if line.startswith(b"data: {"):
            choice = json.loads(line[6:])["choices"][0]
            content += choice["delta"].get("content") or ""
            calls += choice["delta"].get("tool_calls") or []
            reason = choice["finish_reason"] or reason
    return content, calls, reason


@pytest.mark.parametrize("text", PROSE)
def test_prose_stays_as_it_is(text: str) -> None:
    choice = answered(text)
    assert choice["message"] == {"content": text}
    assert choice["finish_reason"] == "stop"
    for size in (1, 5, 33, len(text)):
        assert streamed(text, size) == (text, [], "stop")
    if T.section_begin in text and T.section_end in text.partition(T.section_begin)[2]:
        assert official_guidance(text) == {"tool_calls": []}, "Moonshot's own parser agrees"


@pytest.mark.parametrize("prose", PROSE[:5])
def test_a_call_after_prose_is_one_and_leaves_the_prose(prose: str) -> None:
    text = f"{prose} Now: {SECTION}"
    choice = answered(text)
    (call,) = choice["message"]["tool_calls"]
    assert (call["id"], call["function"]["name"]) == ("functions.get_weather:0", "get_weather")
    assert json.loads(call["function"]["arguments"]) == {"city": "P"}
    assert choice["message"]["content"] == f"{prose} Now: "
    assert choice["finish_reason"] == "tool_calls"
    content, calls, reason = streamed(text, 7)
    assert (content, bool(calls), reason) == (f"{prose} Now: ", True, "tool_calls")


def test_a_whole_example_is_a_call_as_it_is_to_moonshots_parser() -> None:
    text = f"```\n{SECTION}\n```"
    assert [call["name"] for call in official_guidance(text)["tool_calls"]] == ["get_weather"]
    assert [call.name for call in parse(text, TOOLS).calls] == ["get_weather"]
    assert parse(text, TOOLS).content == "```\n\n```"


def test_noise_in_front_of_a_call_is_no_prose() -> None:
    parsed = parse(f"a{T.section_begin} so: {CALL} and {T.section_end}b", TOOLS)
    assert (parsed.content, parsed.unparsed) == ("ab", [" so: ", " and "])
    assert [call.name for call in parsed.calls] == ["get_weather"]


def test_a_doubled_marker_goes_with_its_call() -> None:
    parsed = parse(f"{T.section_begin}{T.section_begin}{CALL}{T.section_end}", TOOLS)
    assert (parsed.content, len(parsed.calls)) == ("", 1)


def test_prose_is_told_before_the_answer_ends() -> None:
    parser, told = StreamParser(TOOLS), Parsed()
    told.add(parser.feed(f"The marker {T.section_begin} is followed by calls. "))
    assert told.content == "The marker "
    told.add(parser.feed("word " * LONGEST_LEAD))
    assert told.content.startswith(f"The marker {T.section_begin} is followed by calls. word ")


def test_engines_policy_keeps_what_is_no_section_too() -> None:
    text = f"see {T.section_begin}x{T.section_end} and {SECTION} tail"
    parsed = parse(text, TOOLS, policy=OFFICIAL)
    assert parsed.content == f"see {T.section_begin}x{T.section_end} and "
    assert len(parsed.calls) == 1
