from typing import Any

import pytest

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.ids import IdSource
from tinker_mock.server.text.tool_choice import ToolRequest, chosen_tools, tool_request, tool_uses


def tool(name: str, description: str = "", **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


TOOLS = [
    tool("get_weather", "Current weather in a city"),
    tool("send_email", "Send a message to somebody", to={"format": "email", "type": "string"}),
    tool("搜索", "在网上搜索"),
]


def names(text: str, choice: str = "auto", role: str = "user", **more: Any) -> list[str]:
    request = ToolRequest(TOOLS, choice, **more)
    chosen = chosen_tools(request, [{"role": role, "content": text}])
    return [one["function"]["name"] for one in chosen]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("How will the weather be?", ["get_weather"]),
        ("Email the weather report to Ann", ["get_weather", "send_email"]),
        ("Tell me a joke", []),
        ("搜索", ["搜索"]),
    ],
)
def test_auto_calls_what_the_question_is_about(text: str, wanted: list[str]) -> None:
    assert names(text) == wanted


def test_a_result_is_answered_in_words_and_required_always_calls() -> None:
    assert names("weather", role="tool") == []
    assert names("Tell me a joke", "required") == ["get_weather"]
    assert names("weather by email", parallel=False) == ["get_weather"]
    assert names("weather", "named", named="send_email") == ["send_email"]
    assert names("weather", "none") == []


def allowed(mode: str, *named: str) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in named]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize(
    ("mode", "permitted", "text", "called"),
    [
        ("auto", ["send_email"], "Email the weather report to Ann", ["send_email"]),
        ("auto", ["get_weather"], "Send an email message", []),
        ("required", ["send_email", "搜索"], "How will the weather be?", ["send_email"]),
    ],
)
def test_of_all_tools_in_the_prompt_the_allowed_are_called(
    mode: str, permitted: list[str], text: str, called: list[str]
) -> None:
    request = tool_request({"tools": TOOLS, "tool_choice": allowed(mode, *permitted)})
    assert request.offered == TOOLS
    chosen = chosen_tools(request, [{"role": "user", "content": text}])
    assert [one["function"]["name"] for one in chosen] == called


def test_kimi_counts_over_the_conversation_and_others_do_not() -> None:
    history = [
        {"role": "assistant", "tool_calls": [{"id": "functions.get_weather:4"}]},
        {"role": "user", "content": "weather and an email message"},
    ]
    request = ToolRequest(TOOLS)
    kimi = tool_uses(request, history, IdSource(1), "s", kimi=True)
    assert [use.id for use in kimi] == ["functions.get_weather:5", "functions.send_email:6"]
    other = tool_uses(request, history, IdSource(1), "s", kimi=False)
    assert all(use.id.startswith("call_") for use in other)
    assert [use.arguments for use in other] == [use.arguments for use in kimi]
    assert other == tool_uses(request, history, IdSource(1), "s", kimi=False)
    assert other != tool_uses(request, history, IdSource(2), "s", kimi=False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"tool_choice": "required"}, "only allowed when tools are given"),
        ({"tools": TOOLS, "tool_choice": {"function": {"name": "fly"}}}, "names 'fly'"),
        ({"tools": TOOLS, "tool_choice": allowed("auto", "搜索", "fly")}, "names 'fly'"),
        ({"tool_choice": allowed("auto", "fly")}, "only allowed when tools are given"),
    ],
)
def test_a_choice_without_its_tool_is_refused(body: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        tool_request(body)
