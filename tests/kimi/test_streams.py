import json
from typing import Any

import pytest

from tinker_mock.kimi import KimiTransformer
from tinker_mock.kimi.transformer import StreamRewriter

SECTION = ["<|tool_calls_section_begin|>", "<|tool_call_begin|>"]


def rewriter(content_type: str = "text/event-stream", **options: Any) -> StreamRewriter:
    stream = KimiTransformer(options).stream(content_type, {"messages": []})
    assert stream is not None
    return stream


def run(body: bytes, **options: Any) -> bytes:
    stream = rewriter(**options)
    return stream.feed(body) + stream.finish()


def events(body: bytes) -> list[Any]:
    found = []
    for block in body.decode().split("\n\n"):
        data = [line[5:].strip() for line in block.split("\n") if line.startswith("data:")]
        if data:
            found.append(data[0] if data[0] == "[DONE]" else json.loads(data[0]))
    return found


def chunk(delta: dict[str, Any], reason: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: " + json.dumps({"id": "c", **fields, "choices": [choice]}).encode() + b"\n\n"


def fragment(**fields: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, **fields}]}


GOOD = (
    b": ping\r\n\r\nevent: message\nid: 1\n"
    + chunk({"role": "assistant", "content": ""})
    + chunk(fragment(id="functions.f:0", type="function", function={"name": "f", "arguments": ""}))
    + chunk(fragment(function={"arguments": "{}"}))
    + chunk({}, "tool_calls", usage={"total_tokens": 3})
    + b'data:{"choices": [], "usage": {}}\n\ndata: [DONE]\n\n'
)


@pytest.mark.parametrize("options", [{}, {"manualToolParsing": True}])
def test_a_stream_without_fault_passes_byte_for_byte(options: dict[str, Any]) -> None:
    assert run(GOOD, **options) == GOOD


def test_every_event_leaves_as_soon_as_it_is_complete() -> None:
    stream = rewriter()
    first = chunk({"content": "a"})
    assert stream.feed(first[:-1]) == b""
    assert stream.feed(first[-1:]) == first


def test_an_unterminated_last_event_is_not_lost() -> None:
    body = chunk({"content": "a"})[:-2]
    assert run(body) == body


def test_an_id_is_repaired_where_it_is_announced_and_said_once() -> None:
    body = (
        chunk(fragment(id="call_7", function={"name": "f", "arguments": ""}))
        + chunk(fragment(id="call_7", function={"name": "f", "arguments": '{"a"'}))
        + chunk(fragment(id="call_7", function={"arguments": ": 1}"}))
        + chunk({}, "stop")
        + b"data: [DONE]\n\n"
    )
    deltas = [event["choices"][0] for event in events(run(body)) if event != "[DONE]"]
    said = [one["delta"]["tool_calls"][0] for one in deltas[:-1]]
    assert [one.get("id") for one in said] == ["functions.f:0", None]
    assert "".join(one["function"]["arguments"] for one in said) == '{"a": 1}'
    assert deltas[-1]["finish_reason"] == "tool_calls"


def test_a_name_cut_in_pieces_is_put_together() -> None:
    body = (
        chunk(fragment(id="functions.get_", function={"name": "get_"}))
        + chunk(fragment(id="weather:0", function={"name": "weather"}))
        + chunk(fragment(function={"arguments": "{}"}))
        + chunk({}, "tool_calls")
    )
    call = events(run(body))[0]["choices"][0]["delta"]["tool_calls"][0]
    assert (call["id"], call["function"]["name"]) == ("functions.get_weather:0", "get_weather")


def test_json_lines_become_events_with_an_end() -> None:
    call = fragment(id="x", function={"name": "f", "arguments": "{}"})
    deltas = [({"content": "a"}, None), (call, None), ({}, "stop")]
    lines = b"\n".join(
        json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}).encode()
        for delta, reason in deltas
    )
    stream = rewriter("application/x-ndjson")
    out = events(stream.feed(lines) + stream.finish())
    assert out[0]["choices"][0]["delta"] == {"content": "a"}
    assert out[1]["choices"][0]["delta"]["tool_calls"][0]["id"] == "functions.f:0"
    assert out[2]["choices"][0]["finish_reason"] == "tool_calls"
    assert out[3] == "[DONE]"


def test_assembly_sends_one_whole_call_instead_of_its_fragments() -> None:
    body = (
        chunk({"content": "Let me see."})
        + chunk(fragment(id="f:0", function={"name": "f", "arguments": ""}))
        + chunk(fragment(function={"arguments": '{"a":'}))
        + chunk(fragment(function={"arguments": "1}"}))
        + chunk({}, "stop")
        + b"data: [DONE]\n\n"
    )
    out = events(run(body, assembleToolDeltas=True))
    calls = [e["choices"][0]["delta"].get("tool_calls") for e in out if e != "[DONE]"]
    whole = {
        "index": 0,
        "id": "functions.f:0",
        "type": "function",
        "function": {"name": "f", "arguments": '{"a":1}'},
    }
    assert calls == [None, [whole], None]
    assert out[1]["id"] == "c"


def test_calls_without_a_finish_get_one_only_when_the_stream_ended_properly() -> None:
    body = chunk(fragment(id="functions.f:0", function={"name": "f", "arguments": "{}"}))
    finished = events(run(body + b"data: [DONE]\n\n"))
    assert finished[1]["choices"][0]["finish_reason"] == "tool_calls"
    assert run(body) == body


def test_a_call_cut_off_keeps_its_name_and_its_length_finish() -> None:
    pieces = ["Hm. ", *SECTION, "functions.f:0<|tool_call_arg", 'ument_begin|>{"city": "Be']
    body = b"".join(chunk({"content": piece}) for piece in pieces) + chunk({}, "length")
    out = [event["choices"][0] for event in events(run(body, manualToolParsing=True))]
    text = "".join(choice["delta"].get("content") or "" for choice in out)
    calls = [call for choice in out for call in choice["delta"].get("tool_calls", ())]
    assert text == "Hm. "
    assert calls[0]["function"]["name"] == "f"
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city": "Be'
    assert out[-1]["finish_reason"] == "length"


def test_an_error_in_the_stream_passes_untouched() -> None:
    body = b'data: {"error": {"message": "upstream died"}}\n\ndata: {oops\n\n'
    assert run(body, manualToolParsing=True, assembleToolDeltas=True) == body


def test_two_streams_of_one_transformer_do_not_mix() -> None:
    transformer = KimiTransformer()
    start = chunk(fragment(id="bad", function={"name": "f", "arguments": "{}"}))
    streams = [transformer.stream("text/event-stream", {}) for _ in range(2)]
    for stream in streams:
        assert stream is not None
        call = events(stream.feed(start))[0]["choices"][0]["delta"]["tool_calls"][0]
        assert call["id"] == "functions.f:0"
