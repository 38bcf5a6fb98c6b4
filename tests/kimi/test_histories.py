"""The request side: past ids, the reasoning Moonshot demands, forced tool choices."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_mock.kimi import KimiTransformer
from tinker_mock.kimi.call_ids import IdForm, history_ids

TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]


def call(id: Any, name: str = "look_up") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}}


def turn(*calls: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(calls), **more}


def result(id: str, content: str = "r") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def sent(messages: list[dict[str, Any]], **request: Any) -> dict[str, Any]:
    return KimiTransformer().request_in({"messages": messages, "tools": TOOLS, **request})


def test_foreign_ids_become_kimis_with_their_tool_messages() -> None:
    messages = [
        turn(call("toolu_A"), call("toolu_B", "weigh")),
        result("toolu_B", "heavy"),
        result("toolu_A", "there"),
        turn(call("call_7")),
        result("call_7", "gone"),
    ]
    found = sent(messages)["messages"]
    assert list(history_ids(found)) == [
        "functions.look_up:0",
        "functions.weigh:1",
        "functions.weigh:1",
        "functions.look_up:0",
        "functions.look_up:2",
        "functions.look_up:2",
    ]
    assert messages[0]["tool_calls"][0]["id"] == "toolu_A", "the caller's messages are not touched"


def test_ids_that_begin_anew_in_every_turn_are_told_apart() -> None:
    messages = [turn(call("call_0")), result("call_0"), turn(call("call_0")), result("call_0")]
    ids = list(history_ids(sent(messages)["messages"]))
    assert ids == ["functions.look_up:0"] * 2 + ["functions.look_up:1"] * 2
    twice = [turn(call("x"), call("x")), result("x", "one"), result("x", "two")]
    ids = list(history_ids(sent(twice)["messages"]))
    assert ids == ["functions.look_up:0", "functions.look_up:1"] * 2


def test_the_next_call_goes_on_from_the_renamed_history() -> None:
    messages = [turn(call("call_a"), call("call_b")), result("call_a"), result("call_b")]
    answer = {"choices": [{"message": turn(call("call_c")), "finish_reason": "stop"}]}
    fixed = KimiTransformer().response(answer, {"messages": messages})["choices"][0]
    assert fixed["message"]["tool_calls"][0]["id"] == "functions.look_up:2"
    plain = KimiTransformer({"repairHistory": False})
    unfixed = plain.response(answer, {"messages": messages})["choices"][0]
    assert unfixed["message"]["tool_calls"][0]["id"] == "functions.look_up:0"


ids = st.sampled_from(
    ["call_1", "toolu_2", "functions.look_up:0", "functions.look_up:5", "look_up:3", "", "0", None]
)
turns = st.lists(st.lists(ids, min_size=1, max_size=3), max_size=5)


@given(turns)
@settings(max_examples=200, deadline=None)
def test_any_history_comes_out_with_every_id_once_and_every_result_at_its_call(
    given_turns: list[list[Any]],
) -> None:
    messages: list[dict[str, Any]] = []
    for at, given_ids in enumerate(given_turns):
        messages.append(turn(*map(call, given_ids)))
        messages += [result(id, f"{at}.{n}") for n, id in enumerate(given_ids) if id]
    transformer = KimiTransformer()
    found = transformer.request_in({"messages": messages})["messages"]
    calls = [c["id"] for m in found if m["role"] == "assistant" for c in m["tool_calls"]]
    assert len(set(calls)) == len(calls)
    assert all(IdForm().parse(id) for id in calls)
    for at, message in enumerate(found):
        if message["role"] == "tool":
            turn_at, place = map(int, message["content"].split("."))
            turn_message = [m for m in found[:at] if m["role"] == "assistant"][turn_at]
            same = [n for n, id in enumerate(given_turns[turn_at]) if id is not None and id]
            assert message["tool_call_id"] == turn_message["tool_calls"][place]["id"], same
    assert transformer.request_in({"messages": found})["messages"] == found, "a second time: no-op"


@pytest.mark.parametrize(
    ("request_fields", "demanded"),
    [
        ({"model": "kimi-k2.6"}, True),
        ({"model": "moonshotai/Kimi-K2-Thinking"}, True),
        ({"model": "accounts/fireworks/models/kimi-k2p5"}, True),
        ({"model": "kimi-k3"}, True),
        ({"model": "kimi-k2-0905-preview"}, False),
        ({"model": "moonshotai/Kimi-K2-Instruct"}, False),
        ({"model": "kimi-k2.5", "thinking": {"type": "disabled"}}, False),
        ({"model": "kimi-k2.5", "chat_template_kwargs": {"thinking": False}}, False),
        ({"model": "anything", "thinking": {"type": "enabled"}}, True),
    ],
)
def test_reasoning_is_given_where_moonshot_demands_it(
    request_fields: dict[str, Any], demanded: bool
) -> None:
    messages = [turn(call("functions.look_up:0")), result("functions.look_up:0")]
    found = sent(messages, **request_fields)["messages"][0]
    assert found.get("reasoning_content") == (" " if demanded else None)


def test_reasoning_under_another_name_is_used() -> None:
    named = [
        turn(call("a"), reasoning="I look."),
        turn(call("b"), thinking="I see."),
        turn(call("c"), reasoning_details=[{"type": "reasoning.text", "text": "I know."}]),
        turn(call("d"), reasoning_content="Kept."),
        {"role": "assistant", "content": "words need none"},
    ]
    found = sent(named, model="kimi-k2.6")["messages"]
    texts = [message.get("reasoning_content") for message in found]
    assert texts == ["I look.", "I see.", "I know.", "Kept.", None]


NAMED = {"type": "function", "function": {"name": "look_up"}}


@pytest.mark.parametrize(
    ("model", "fields", "choice", "expected", "thinking"),
    [
        ("kimi-k2.6", {"thinking": {"type": "enabled"}}, "required", "auto", {"type": "enabled"}),
        ("kimi-k2.6", {}, "required", "required", {"type": "disabled"}),
        ("kimi-k2.6", {}, NAMED, NAMED, {"type": "disabled"}),
        ("kimi-k2.6", {"thinking": {"type": "disabled"}}, NAMED, NAMED, {"type": "disabled"}),
        ("kimi-k2-thinking", {}, NAMED, "auto", None),
        ("kimi-k2-0905", {}, "required", "required", None),
        ("kimi-k3", {}, "required", "required", None),
        ("moonshotai/Kimi-K3.1-Pro", {}, NAMED, "required", None),
        ("kimi-k2.5", {}, "none", "none", None),
    ],
)
def test_a_forced_tool_choice_becomes_one_the_model_takes(
    model: str, fields: dict[str, Any], choice: Any, expected: Any, thinking: Any
) -> None:
    found = sent([{"role": "user", "content": "x"}], model=model, tool_choice=choice, **fields)
    assert (found["tool_choice"], found.get("thinking")) == (expected, thinking)


def test_the_switches_leave_requests_as_they_are() -> None:
    request = {
        "model": "kimi-k2.6",
        "messages": [turn(call("call_1")), result("call_1")],
        "tools": TOOLS,
        "tool_choice": "required",
    }
    plain = KimiTransformer({"repairHistory": False, "fitToolChoice": False})
    assert plain.request_in(dict(request)) == request
    assert KimiTransformer(compat="original").request_in(dict(request)) == request
