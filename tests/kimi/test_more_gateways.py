"""Further streams and requests of the kinds that gateways and clients have shown."""

import json
from typing import Any

import pytest

from tests.kimi.test_gateway_streams import (
    ARGUMENTS,
    BEGIN,
    CALL,
    CALL_END,
    DONE,
    END,
    REQUEST,
    event,
    put_together,
    rewritten,
)
from tinker_mock.kimi import KimiTransformer


def piece(name: str | None = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    told = {key: value for key, value in function.items() if value is not None}
    return {**more, "function": told}


CANCEL, SEATS = ("cancel", '{"a":1}'), ("list_seats", '{"b":2}')
FRAGMENTS: dict[str, tuple[list[list[dict[str, Any]]], list[tuple[str, str]]]] = {
    "three ids under index 0": (
        [
            [piece("cancel", '{"a":', id="x1", index=0)],
            [piece(None, "1}", index=0)],
            [piece("cancel", "", id="x2", index=0)],
            [piece(None, "{}", index=0)],
            [piece("list_seats", '{"b":2}', id="x3", index=0)],
        ],
        [CANCEL, ("cancel", "{}"), SEATS],
    ),
    "indices as text, interleaved": (
        [
            [piece("cancel", '{"a":', id="x1", index="0")],
            [piece("list_seats", '{"b":', id="x2", index="1")],
            [piece(None, "1}", index="0")],
            [piece(None, "2}", index="1")],
        ],
        [CANCEL, SEATS],
    ),
    "indices that jump": (
        [[piece(*CANCEL, id="x1", index=3)], [piece(*SEATS, id="x2", index=7)]],
        [CANCEL, SEATS],
    ),
    "an index of null": (
        [
            [piece("cancel", '{"a":', id="x1", index=None)],
            [piece(None, "1}", index=None)],
            [piece(*SEATS, id="x2", index=None)],
        ],
        [CANCEL, SEATS],
    ),
    "negative indices": (
        [[piece(*CANCEL, id="x1", index=-1)], [piece(*SEATS, id="x2", index=-1)]],
        [CANCEL, SEATS],
    ),
    "an id that comes late": (
        [
            [piece("cancel", '{"a":', index=0)],
            [piece(None, "1}", id="late", index=0)],
            [piece(*SEATS, id="y", index=1)],
        ],
        [CANCEL, SEATS],
    ),
    "a name in two pieces": (
        [[piece("can", "", id="q", index=0)], [piece("cel", '{"a":1}', index=0)]],
        [CANCEL],
    ),
    "a name with every piece": (
        [[piece("cancel", '{"a"', id="q", index=0)], [piece("cancel", ":1}", id="q", index=0)]],
        [CANCEL],
    ),
    "empty ids": (
        [[piece(*CANCEL, id="", index=0)], [piece(*SEATS, id="", index=1)]],
        [CANCEL, SEATS],
    ),
    "two in one delta with one index": (
        [[piece(*CANCEL, id="a", index=0), piece(*CANCEL, id="b", index=0)]],
        [CANCEL, CANCEL],
    ),
    "two in one delta with nothing": ([[piece(*CANCEL), piece(*SEATS)]], [CANCEL, SEATS]),
}


@pytest.mark.parametrize("name", FRAGMENTS)
@pytest.mark.parametrize("whole", [False, True])
def test_calls_stay_apart_and_whole(name: str, whole: bool) -> None:
    deltas, wanted = FRAGMENTS[name]
    body = b"".join(event({"tool_calls": calls}) for calls in deltas) + event({}, "stop") + DONE
    for size in (1, 13, len(body)):
        found = put_together(rewritten(body, size, assembleToolDeltas=whole))
        assert [(said, arguments) for _, said, arguments in found["calls"]] == wanted
        ids = [f"functions.{said}:{number}" for number, (said, _) in enumerate(wanted)]
        assert [id for id, _, _ in found["calls"]] == ids
        assert found["reason"] == "tool_calls"


@pytest.mark.parametrize(
    "reason",
    ["timeout", "cancelled", "recitation", "STOP", "end_turn", "eos_token", "Stop", "safety"],
)
def test_reasons_that_nobody_knows_stay(reason: str) -> None:
    call = piece("cancel", '{"a":', id="functions.cancel:0", index=0)
    body = event({"tool_calls": [call]}) + event({}, reason) + DONE
    assert put_together(rewritten(body))["reason"] == reason
    message = {"tool_calls": [{**call, "type": "function"}]}
    answer = {"choices": [{"message": message, "finish_reason": reason}]}
    told = KimiTransformer().response(answer, REQUEST)
    assert told["choices"][0]["finish_reason"] == reason


SECTION = f'{BEGIN}{CALL}functions.cancel:0{ARGUMENTS}{{"a":1}}{CALL_END}{END}'
REASONING: dict[str, list[dict[str, Any]]] = {
    "reasoning, then content": [{"reasoning": "hm "}, {"reasoning": SECTION}, {"content": "x"}],
    "a summary and a text": [
        {"reasoning_details": [{"type": "reasoning.summary", "summary": SECTION[:30]}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": SECTION[30:]}]},
    ],
    "an encrypted part beside it": [
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "zz"}]},
        {"reasoning": SECTION},
    ],
    "cut inside a marker": [{"reasoning_content": SECTION[:9]}, {"reasoning_content": SECTION[9:]}],
}


@pytest.mark.parametrize("name", REASONING)
def test_calls_in_reasoning_of_any_form(name: str) -> None:
    body = b"".join(map(event, REASONING[name])) + event({}, "stop") + DONE
    found = put_together(rewritten(body, manualToolParsing=True))
    assert [call[1:] for call in found["calls"]] == [CANCEL]
    assert found["reason"] == "tool_calls"


ODD = ["NaN", "-Infinity", "1e400", "123456789012345678901234567890", '"\\udc00x"', "-0.0", "1E5"]


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_stay_beside_what_is_put_right(odd: str) -> None:
    """Half an emoji in one frame, the other half and a call in the next."""
    first = event({"content": "HALF"}).replace(b"HALF", b"\\ud83c")
    usage = b'"usage":{"x":' + odd.encode() + b'},"choices"'
    second = event({"content": "HALF" + SECTION}).replace(b"HALF", b"\\udf89")
    second = second.replace(b'"choices"', usage, 1)
    out = rewritten(first + second + event({}, "stop") + DONE, manualToolParsing=True)
    assert [call[1:] for call in put_together(out)["calls"]] == [CANCEL]
    (line,) = [one for one in out.splitlines() if b'"usage"' in one]
    told = json.loads(line[6:])["usage"]["x"]
    assert repr(told) == repr(json.loads(odd))
    assert b"\\udf89" in line


HISTORIES = [
    ("toolu_01", "chatcmpl-tool-9f", "call_00_AbC"),
    ("functions.cancel:7", "call_1", "functions.cancel:7"),
    ("0", "0", "0"),
    ("9", "functions.list_seats:3", "x" * 300),
]


@pytest.mark.parametrize("ids", HISTORIES)
def test_ids_of_any_origin_become_kimis(ids: tuple[str, ...]) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "x"}]
    for id in ids:
        call = {"id": id, "type": "function", "function": {"name": "cancel", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": id, "content": "r"},
        ]
    told = KimiTransformer().request_in({**REQUEST, "messages": messages})["messages"]
    calls = [call["id"] for message in told for call in message.get("tool_calls") or ()]
    assert len(set(calls)) == len(ids)
    assert all(id.startswith("functions.cancel:") for id in calls)
    results = [message["tool_call_id"] for message in told if message["role"] == "tool"]
    assert results == calls
