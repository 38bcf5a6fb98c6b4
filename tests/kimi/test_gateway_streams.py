"""Streams as gateways send them: calls told apart in every way, errors, odd JSON, giant frames."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_mock.kimi import KimiTransformer, Report

BEGIN, END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
CALL, ARGUMENTS, CALL_END = (
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
)
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("book_flight", "cancel", "list_seats")
]
REQUEST = {"messages": [{"role": "user", "content": "x"}], "tools": TOOLS}
MANUAL = {"manualToolParsing": True}


def event(delta: dict[str, Any], reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": more.pop("index", 0), "delta": delta, "finish_reason": reason}
    body = {"id": "c", "object": "chat.completion.chunk", **more, "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def rewritten(body: bytes, size: int = 0, **options: Any) -> bytes:
    stream = KimiTransformer(options).stream("text/event-stream", REQUEST)
    assert stream is not None
    size = size or len(body)
    out = b"".join(stream.feed(body[at : at + size]) for at in range(0, len(body), size))
    return out + stream.finish()


def put_together(body: bytes, index: int = 0) -> dict[str, Any]:
    """What a client that goes by index makes of one choice."""
    calls: dict[int, list[str]] = {}
    found: dict[str, Any] = {"content": "", "reasoning": "", "reason": None}
    for line in body.split(b"\n"):
        if not line.startswith(b"data: {"):
            continue
        for choice in json.loads(line[6:]).get("choices", ()):
            if choice["index"] != index:
                continue
            delta = choice.get("delta") or {}
            for name in ("content", "reasoning"):
                value = delta.get(name) or ""
                if isinstance(value, list):
                    value = "".join(part.get("text", "") for part in value)
                found[name] += value
            found["reason"] = choice.get("finish_reason") or found["reason"]
            for call in delta.get("tool_calls") or ():
                mine = calls.setdefault(call["index"], ["", "", ""])
                function = call.get("function") or {}
                for at, value in enumerate((call.get("id"), *map(function.get, FIELDS))):
                    mine[at] += value or ""
    found["calls"] = [tuple(calls[number]) for number in sorted(calls)]
    return found


FIELDS = ("name", "arguments")
Style = Callable[[int, str, bool], dict[str, Any]]


def fragment(index: int | None, id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    named = {"name": name} if name else {}
    return {
        **({} if index is None else {"index": index}),
        **({"id": id} if id else {}),
        "type": "function",
        "function": {**named, "arguments": arguments},
    }


# How gateways say which call a fragment belongs to: (index, id) of the first and later fragments.
STYLES: dict[str, Style] = {
    "an index each": lambda n, id, first: {"index": n, "id": id if first else None},
    "an index as text": lambda n, id, first: {"index": str(n), "id": id if first else None},
    "one index, ids repeated": lambda n, id, first: {"index": 0, "id": id},
    "no index, ids repeated": lambda n, id, first: {"index": None, "id": id},
    "index and ids": lambda n, id, first: {"index": n, "id": id},
}
IDS = ["call_a1", "toolu_9", "functions.cancel:4", "chatcmpl-tool-77", "0f3c"]
wanted_calls = st.lists(
    st.tuples(st.sampled_from(["book_flight", "cancel", "list_seats"]), st.text(max_size=12)),
    min_size=1,
    max_size=5,
)


@given(
    wanted_calls,
    st.sampled_from(sorted(STYLES)),
    st.booleans(),
    st.booleans(),
    st.integers(1, 300),
    st.randoms(use_true_random=False),
)
@settings(max_examples=200, deadline=None)
def test_calls_are_told_apart_however_the_gateway_tells_them(
    calls: list[tuple[str, str]], style: str, interleaved: bool, gather: bool, size: int, rng: Any
) -> None:
    waiting = []
    for number, (name, text) in enumerate(calls):
        arguments = json.dumps({"q": text})
        cuts = sorted(rng.randint(1, len(arguments)) for _ in range(rng.randint(0, 3)))
        pieces = [arguments[a:b] for a, b in zip([0, *cuts], [*cuts, len(arguments)], strict=True)]
        says = STYLES[style]
        id = f"{IDS[number]}"
        waiting.append(
            [fragment(**says(number, id, True), name=name, arguments=pieces[0])]
            + [fragment(**says(number, id, False), name=None, arguments=p) for p in pieces[1:]]
        )
    body = b"".join(event({"tool_calls": [call[0]]}) for call in waiting)
    later = [call[1:] for call in waiting]
    while any(later):
        queue = (
            rng.choice([one for one in later if one]) if interleaved else next(filter(None, later))
        )
        body += event({"tool_calls": [queue.pop(0)]})
    body += event({}, "stop") + DONE
    found = put_together(rewritten(body, size, assembleToolDeltas=gather))
    assert [(name, json.loads(arguments)) for _, name, arguments in found["calls"]] == [
        (name, {"q": text}) for name, text in calls
    ]
    assert found["reason"] == "tool_calls"
    ids = [id for id, _, _ in found["calls"]]
    assert len(set(ids)) == len(ids)
    for (id, name, _), number in zip(found["calls"], range(9), strict=False):
        assert id.startswith(f"functions.{name}:"), (number, id)


def test_whole_calls_under_one_index_are_calls_of_their_own() -> None:
    """Ollama and some gateways send every call whole, all under index 0, without arguments too."""
    same = [fragment(0, f"call_{n}", "list_seats", "") for n in range(3)]
    for calls in (same, [{**one, "index": None} for one in same]):
        body = b"".join(event({"tool_calls": [one]}) for one in calls) + event({}, "tool_calls")
        found = put_together(rewritten(body))["calls"]
        assert found == [(f"functions.list_seats:{n}", "list_seats", "") for n in range(3)]


def test_a_new_id_with_every_fragment_is_the_same_call() -> None:
    pieces = [fragment(0, "chatcmpl-tool-1", "cancel", '{"a"')]
    pieces += [fragment(0, f"chatcmpl-tool-{n}", None, part) for n, part in ((2, ": "), (3, "1}"))]
    body = b"".join(event({"tool_calls": [one]}) for one in pieces) + event({}, "stop")
    found = put_together(rewritten(body))["calls"]
    assert found == [("functions.cancel:0", "cancel", '{"a": 1}')]


@pytest.mark.parametrize(
    "reason", ["error", "abort", "network_error", "content_filter", "length", "timeout", "42"]
)
def test_only_stop_or_nothing_becomes_tool_calls(reason: str) -> None:
    call = fragment(0, "functions.cancel:0", "cancel", '{"seat": "1')
    body = event({"tool_calls": [call]}) + event({}, reason) + DONE
    assert put_together(rewritten(body))["reason"] == reason
    assert put_together(rewritten(body, assembleToolDeltas=True))["reason"] == reason
    message = {"role": "assistant", "tool_calls": [call]}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    assert KimiTransformer().response(whole, REQUEST)["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize("where", ["beside the choices", "alone", "in the choice"])
def test_no_finish_is_made_up_for_a_stream_that_failed(where: str) -> None:
    call = event({"tool_calls": [fragment(0, "functions.cancel:0", "cancel", '{"se')]})
    error = {"code": 502, "message": "provider went away"}
    failed = {
        "beside the choices": event({"content": ""}, None, error=error),
        "alone": b"data: " + json.dumps({"error": error}).encode() + b"\n\n",
        "in the choice": event({"content": ""}, "stop").replace(
            b'"delta"', b'"error": {"code": 502}, "delta"'
        ),
    }[where]
    out = rewritten(call + failed + DONE)
    assert failed in out
    assert put_together(out)["reason"] in (None, "stop")


def marked(name: str, arguments: str, number: int = 0) -> str:
    call = f"{CALL}functions.{name}:{number}{ARGUMENTS}{arguments}{CALL_END}"
    return f"{BEGIN}{call}{END}"


@pytest.mark.parametrize("field", ["content", "reasoning_content", "reasoning"])
def test_markers_are_read_wherever_text_stands(field: str) -> None:
    text = f"Well. {marked('cancel', '{}')}"
    body = b"".join(event({field: text[at : at + 7]}) for at in range(0, len(text), 7))
    found = put_together(rewritten(body + event({}, "stop"), **MANUAL))
    assert found["calls"] == [("functions.cancel:0", "cancel", "{}")]
    assert found["reason"] == "tool_calls"
    message = {"role": "assistant", "content": None, field: text}
    whole = KimiTransformer(MANUAL).response({"choices": [{"message": message}]}, REQUEST)
    assert whole["choices"][0]["message"][field] == "Well. "
    assert len(whole["choices"][0]["message"]["tool_calls"]) == 1


def test_one_text_under_two_names_is_one_call() -> None:
    text = f"Hm. {marked('cancel', '{}')}"
    details = [{"type": "reasoning.text", "text": text}]
    message = {"content": "", "reasoning": text, "reasoning_content": text}
    for said in (message, {"reasoning": text, "reasoning_details": details}):
        whole = KimiTransformer(MANUAL).response({"choices": [{"message": said}]}, REQUEST)
        found = whole["choices"][0]["message"]
        assert len(found["tool_calls"]) == 1
        assert BEGIN not in json.dumps(found)
        body = b"".join(
            event(
                {
                    name: value[at : at + 5]
                    if isinstance(value, str)
                    else [{**value[0], "text": text[at : at + 5]}]
                    for name, value in said.items()
                }
            )
            for at in range(0, len(text), 5)
        )
        out = rewritten(body + event({}, "stop"), **MANUAL)
        assert len(put_together(out)["calls"]) == 1
        assert b"tool_call_begin" not in out


def test_content_in_parts_is_read_across_its_parts() -> None:
    text = "One moment." + marked("book_flight", '{"to": "Oslo"}') + " Done."
    parts = [{"type": "text", "text": text[at : at + 11]} for at in range(0, len(text), 11)]
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    message = {"role": "assistant", "content": [*parts[:2], picture, *parts[2:]]}
    whole = KimiTransformer(MANUAL).response({"choices": [{"message": message}]}, REQUEST)
    found = whole["choices"][0]["message"]
    assert found["tool_calls"][0]["function"] == {
        "name": "book_flight",
        "arguments": '{"to": "Oslo"}',
    }
    assert picture in found["content"]
    assert "".join(p.get("text", "") for p in found["content"]) == "One moment. Done."
    body = b"".join(event({"content": [part]}) for part in parts) + event({}, "stop")
    streamed = put_together(rewritten(body, **MANUAL))
    assert (streamed["content"], len(streamed["calls"])) == ("One moment. Done.", 1)


def test_an_answer_cut_off_inside_a_call_does_not_look_runnable() -> None:
    text = f"{BEGIN}{CALL}functions.cancel:0{ARGUMENTS}" + '{"seat": "1'
    message = {"role": "assistant", "content": text}
    answer = {"choices": [{"message": message, "finish_reason": "stop"}]}
    whole = KimiTransformer(MANUAL).response(answer, REQUEST)["choices"][0]
    assert whole["finish_reason"] == "stop"
    streamed = put_together(rewritten(event({"content": text}) + event({}, "stop"), **MANUAL))
    assert streamed["reason"] == "stop"
    assert streamed["calls"][0][2] == whole["message"]["tool_calls"][0]["function"]["arguments"]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), st.integers(1, 9))
@settings(max_examples=150, deadline=None)
def test_text_cut_by_utf_16_units_is_still_read(text: str, units: int) -> None:
    """A proxy in JavaScript cuts strings between the halves of a character."""
    value = json.dumps({"q": f"🦀{text}𠮷"}, ensure_ascii=False)
    whole = f"ok {marked('cancel', value)} 🎉"
    encoded = whole.encode("utf-16-le")
    pieces = [encoded[at : at + 2 * units] for at in range(0, len(encoded), 2 * units)]
    halves = [piece.decode("utf-16-le", "surrogatepass") for piece in pieces]
    body = b"".join(event({"content": piece}) for piece in halves) + event({}, "stop") + DONE
    found = put_together(rewritten(body, 13, **MANUAL))
    assert joined(found["content"]) == "ok  🎉"
    (_, name, arguments), *_ = found["calls"]
    assert (name, json.loads(joined(arguments))) == ("cancel", {"q": f"🦀{text}𠮷"})
    native = [fragment(0, "call_1", "cancel", joined_half) for joined_half in halves]
    body = b"".join(event({"tool_calls": [one]}) for one in native) + event({}, "stop")
    found = put_together(rewritten(body, assembleToolDeltas=True))
    assert found["calls"] == [("functions.cancel:0", "cancel", whole)]


def joined(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@pytest.mark.parametrize(
    "odd", ["NaN", "-Infinity", "9" * 40, "-" + "7" * 19, '"\\udc00"', "1e999", '["\\ud83d"]']
)
def test_odd_json_switches_nothing_off_and_stays_what_it_is(odd: str) -> None:
    call = json.dumps(fragment(0, "call_9", "cancel", "{}"))
    head = '{"index": 0, "odd": ODD, "message": {"role": "assistant", "tool_calls": [CALL]}}'
    body = f'{{"choices": [{head}], "big": ODD}}'.replace("ODD", odd).replace("CALL", call)
    found = KimiTransformer().response_bytes(body.encode(), REQUEST)
    assert b"functions.cancel:0" in found
    before, after = json.loads(body), json.loads(found)
    assert repr(after["big"]) == repr(before["big"])
    assert repr(after["choices"][0]["odd"]) == repr(before["big"])
    chunk = (
        f'data: {{"choices": [{{"index": 0, "delta": {{"tool_calls": [{call}]}}}}], "x": {odd}}}'
    )
    out = rewritten(chunk.encode() + b"\n\n")
    assert b"functions.cancel:0" in out
    assert repr(json.loads(out[6:])["x"]) == repr(before["big"])


def test_every_choice_of_a_stream_is_put_right() -> None:
    texts = [f"{n}{marked('cancel', json.dumps({'n': n}))}" for n in range(3)]
    body = b""
    for at in range(0, max(map(len, texts)), 6):
        for n, text in enumerate(texts):
            body += event({"content": text[at : at + 6]}, index=n)
    body += b"".join(event({}, "stop", index=n) for n in range(3)) + DONE
    out = rewritten(body, 50, **MANUAL)
    for n in range(3):
        found = put_together(out, n)
        assert found["content"] == str(n)
        assert found["calls"] == [("functions.cancel:0", "cancel", json.dumps({"n": n}))]


def seconds(body: bytes, size: int, **options: Any) -> float:
    return min(_once(body, size, options) for _ in range(3))


def _once(body: bytes, size: int, options: dict[str, Any]) -> float:
    started = time.process_time()
    rewritten(body, size, **options)
    return time.process_time() - started


def test_giant_frames_and_assemblies_cost_what_they_are_long() -> None:
    """Four times the bytes may not take more than about four times as long."""

    def frame(size: int) -> bytes:
        call = fragment(0, "call_1", "cancel", json.dumps({"x": "z" * size}))
        return event({"tool_calls": [call]}) + event({}, "stop")

    def assembly(count: int) -> bytes:
        first = event({"tool_calls": [fragment(0, "call_1", "cancel", "")]})
        more = event({"tool_calls": [fragment(0, None, None, "x" * 200)]})
        return first + more * count + event({}, "stop")

    def texts(count: int) -> bytes:
        start = event({"content": f"{BEGIN}{CALL}functions.cancel:0{ARGUMENTS}"})
        return start + event({"content": " " * 100 + "y" * 100}) * count + event({}, "stop")

    for make, small, size, options in (
        (frame, 500_000, 1024, {}),
        (assembly, 2_000, 65536, {"assembleToolDeltas": True}),
        (texts, 2_000, 65536, MANUAL),
    ):
        one, four = seconds(make(small), size, **options), seconds(make(4 * small), size, **options)
        assert four < 9 * one + 0.02, (make.__name__, one, four)


def test_what_is_put_right_is_reported() -> None:
    reports: list[Report] = []
    stream = KimiTransformer(report=reports.append).stream("text/event-stream", REQUEST)
    assert stream is not None
    stream.feed(event({"tool_calls": [fragment(0, "call_9", "cancel", "{}")]}))
    assert [report.kind for report in reports] == ["id-repaired"]
