"""Kimi K3's markup in answers becomes calls, whole and streamed, whatever the cuts."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_mock.kimi import KimiTransformer
from tinker_mock.kimi.k3_parser import K3Parser
from tinker_mock.kimi.stream_parser import CallArguments, CallStart, Event, Text

TOOLS = [{"type": "function", "function": {"name": name}} for name in ("f", "write")]
REQUEST = {"messages": [], "tools": TOOLS}


def kind(value: Any) -> str:
    names = {bool: "boolean", int: "number", str: "string", list: "array", type(None): "null"}
    return names.get(type(value), "object")


def call(name: str, arguments: dict[str, Any], index: int = 1) -> str:
    body = "".join(
        f'<|open|>argument key="{key}" type="{kind(value)}"<|sep|>'
        f"{value if isinstance(value, str) else json.dumps(value)}<|close|>argument<|sep|>"
        for key, value in arguments.items()
    )
    return f'<|open|>call tool="{name}" index="{index}"<|sep|>{body}<|close|>call<|sep|>'


def section(*calls: str) -> str:
    return f"<|open|>tools<|sep|>{''.join(calls)}<|close|>tools<|sep|>"


def answered(text: str) -> dict[str, Any]:
    answer = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    transformer = KimiTransformer({"manualToolParsing": True})
    found: dict[str, Any] = transformer.response(answer, REQUEST)["choices"][0]
    return found


values = st.one_of(
    st.text(max_size=8).filter(lambda text: "<|" not in text),
    st.integers(-9, 9),
    st.booleans(),
    st.none(),
    st.lists(st.integers(0, 3), max_size=2),
    st.just({"a": {"b": "é"}}),
)
arguments = st.dictionaries(st.sampled_from(["path", "n", "flag"]), values, max_size=3)


@given(st.lists(st.tuples(st.sampled_from(["f", "write"]), arguments), min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_typed_arguments_come_back_as_they_were(calls: list[tuple[str, dict[str, Any]]]) -> None:
    text = "<|open|>response<|sep|>Well.<|close|>response<|sep|>" + section(
        *(call(name, given, index) for index, (name, given) in enumerate(calls, 1))
    )
    found = answered(text + "<|close|>message<|sep|><|end_of_msg|>")
    assert found["message"]["content"] == "Well."
    assert found["finish_reason"] == "tool_calls"
    made = found["message"]["tool_calls"]
    assert [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in made] == calls
    assert [c["id"] for c in made] == [f"functions.{n}:{i}" for i, (n, _) in enumerate(calls)]


pieces = st.lists(
    st.sampled_from(
        [
            *("<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>", "tools", "call", "response"),
            *(' tool="f"', ' index="2"', "argument", ' key="k" type="string"', "json", "x", "<|"),
            section(call("f", {"k": "v"})),
            "é🎉",
        ]
    ),
    max_size=14,
).map("".join)


def told(events: list[Event]) -> tuple[str, list[Any], list[Event]]:
    text, calls, ends = "", [], []
    for event in events:
        match event:
            case Text(piece):
                text += piece
            case CallStart(_, id, name):
                calls.append([id, name, ""])
            case CallArguments(index, piece):
                calls[index][2] += piece
            case other:
                ends.append(other)
    return text, calls, ends


@given(pieces, st.data())
@settings(max_examples=300, deadline=None)
def test_the_cuts_do_not_matter_and_nothing_raises(text: str, data: Any) -> None:
    whole = K3Parser()
    wanted = told(whole.feed(text) + whole.finish())
    parser, events, at = K3Parser(), [], 0
    while at < len(text):
        size = data.draw(st.integers(1, 9))
        events += parser.feed(text[at : at + size])
        at += size
    found = told(events + parser.finish())
    assert found == wanted


def test_text_without_markup_passes_as_it_is() -> None:
    for text in ("plain < | text", "a <|open| b", "<|open|>", "x<|close|>y"):
        assert answered(text)["message"]["content"] == text


def test_a_call_cut_off_is_not_made_runnable() -> None:
    text = '<|open|>tools<|sep|><|open|>call tool="f" index="1"<|sep|><|open|>argument key="k" '
    found = answered(text + 'type="string"<|sep|>half')
    assert found["message"]["tool_calls"][0]["function"]["name"] == "f"
    json_text = found["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(json_text) == {"k": "half"}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_it_is_read_in_reasoning_too(field: str) -> None:
    answer = {"choices": [{"message": {"content": None, field: section(call("f", {}))}}]}
    transformer = KimiTransformer({"manualToolParsing": True})
    message = transformer.response(answer, REQUEST)["choices"][0]["message"]
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
