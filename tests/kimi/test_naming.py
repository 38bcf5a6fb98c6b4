"""Which function a written id means."""

from typing import Any

import pytest

from tinker_mock.kimi.markers import ToolTokens
from tinker_mock.kimi.stream_parser import OFFICIAL, Policy, parse

T = ToolTokens()
TOOLS = [
    {"function": {"name": "read_file", "parameters": {"properties": {"path": {}}}}},
    {
        "function": {
            "name": "get_weather",
            "parameters": {"anyOf": [{"properties": {"city": {}}}, {"properties": {"unit": {}}}]},
        }
    },
]


def names(id: str, arguments: str = "{}", tools: Any = TOOLS, policy: Policy = OFFICIAL) -> Any:
    call = f"{T.call_begin}{id}{T.argument_begin}{arguments}{T.call_end}"
    text = f"{T.section_begin}{call}{T.section_end}"
    return [one.name for one in parse(text, tools, policy=policy).calls]


@pytest.mark.parametrize(
    ("id", "arguments", "strict", "lenient"),
    [
        ("functions.get_weather:3", "{}", ["get_weather"], ["get_weather"]),
        ("functions.x.get_weather:0", "{}", ["get_weather"], ["get_weather"]),
        ("mcp__portal__search-docs:2", "{}", ["mcp__portal__search-docs"], None),
        ("functions.get_weather", "{}", [], ["get_weather"]),
        ("get_weather", "{}", [], ["get_weather"]),
        ("functions.nobody", "{}", [], []),
        ("0", '{"city": "Oslo", "unit": "c"}', ["get_weather"], ["get_weather"]),
        ("0", '{"path": "/a", "city": "x"}', [], []),
        ("0", '{"city"', [], []),
        ("call_9", '{"path": "/a"}', [], ["read_file"]),
        ("weird@id", '{"path": "/a"}', [], []),
    ],
)
def test_names(id: str, arguments: str, strict: list[str], lenient: list[str] | None) -> None:
    assert names(id, arguments) == strict
    assert names(id, arguments, policy=Policy()) == (strict if lenient is None else lenient)


def test_a_bare_counter_means_the_only_tool_whatever_its_arguments() -> None:
    assert names("7", '{"city"', TOOLS[:1]) == ["read_file"]
    assert names("7", "{}", None) == []
