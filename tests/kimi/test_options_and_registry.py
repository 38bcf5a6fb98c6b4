import json
from typing import Any

import pytest

from tinker_mock.kimi import KimiTransformer, OptionError, ToolMessageError, default_registry
from tinker_mock.kimi.options import KimiOptions
from tinker_mock.kimi.registry import HistoryIds

SEED_CONFIG = json.loads("""
{
  "name": "openrouter",
  "api_base_url": "https://provider.invalid/api",
  "api_key": "your-key",
  "models": ["moonshotai/Kimi-K2-Instruct", "moonshotai/Kimi-K2-Thinking"],
  "transformer": {
    "use": ["Kimi"],
    "moonshotai/Kimi-K2-Thinking": {"use": [["Kimi", {"manualToolParsing": true}]]}
  }
}
""")
MARKED = (
    "Hi.<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>"
    "{}<|tool_call_end|><|tool_calls_section_end|>"
)


def answer(message: dict[str, Any], reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}


def call(id: str | None, name: str = "f", arguments: Any = "{}") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_the_seeds_configuration_is_taken_as_it_is() -> None:
    registry = default_registry()
    plain = registry.chain_for(SEED_CONFIG, "moonshotai/Kimi-K2-Instruct")
    thinking = registry.chain_for(SEED_CONFIG, "moonshotai/Kimi-K2-Thinking")
    assert plain.name == "Kimi"
    assert plain.response(answer({"content": MARKED}), {}) == answer({"content": MARKED})
    message = thinking.response(answer({"content": MARKED}), {})["choices"][0]["message"]
    assert message == {"content": "Hi.", "tool_calls": [call("functions.f:0")]}


def test_a_chain_runs_requests_in_order_and_answers_in_reverse() -> None:
    class Loud:
        def __init__(self, mark: str) -> None:
            self.name = mark

        def request_in(self, request: dict[str, Any]) -> dict[str, Any]:
            return {**request, "seen": [*request.get("seen", []), self.name]}

        def response(self, body: Any, request: Any = None) -> Any:
            return {**body, "seen": [*body.get("seen", []), self.name]}

        def stream(self, content_type: str, request: Any = None) -> None:
            return None

    registry = default_registry()
    registry.register("Loud", lambda options, report: Loud(options["mark"]))
    chain = registry.chain({"use": [["Loud", {"mark": "a"}], "Kimi", ["Loud", {"mark": "b"}]]})
    assert chain.request_in({})["seen"] == ["a", "b"]
    assert chain.response({}, {})["seen"] == ["b", "a"]
    assert chain.stream("application/json") is None
    with pytest.raises(OptionError, match="registered already"):
        registry.register("Kimi", lambda options, report: Loud(""))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"use": ["Kimmi"]}, "'Kimmi' is unknown; known: Kimi, KimiHistoryIds"),
        ({"use": [["Kimi", {"manualToolparsing": True}]]}, "did you mean manualToolParsing"),
        ({"use": [["Kimi", {"repairOnMismatch": "yes"}]]}, "must be true or false"),
        ({"use": [["Kimi", {"toolTokens": {"argBegin": ""}}]]}, "non-empty string"),
        ({"use": [["Kimi", {"toolTokens": {"begin": "x"}}]]}, "toolTokens.begin is unknown"),
        ({"use": [["Kimi", {"counterScope": "request"}]]}, "must be one of conversation"),
        ({"use": [["Kimi", {"compat": "older"}]]}, "compat must be"),
        ({"use": [7]}, "is a name or"),
        ({}, 'needs a list "use"'),
    ],
)
def test_a_wrong_configuration_names_the_option_and_the_fix(config: Any, said: str) -> None:
    with pytest.raises(OptionError, match=said.replace("(", r"\(")):
        default_registry().chain(config)


DOCUMENTED = {
    "toolChoiceDefault": "auto",
    "acceptRoleTool": True,
    "enforceFinishReasonLoop": True,
    "manualToolParsing": False,
    "emitToolCallsInJson": False,
    "assembleToolDeltas": False,
    "idNormalization": False,
    "repairOnMismatch": True,
    "idPrefix": "functions",
    "counterScope": "conversation",
}


def test_the_documented_options_have_the_documented_defaults() -> None:
    assert KimiOptions.from_json(DOCUMENTED) == KimiOptions.from_json({}) == KimiOptions()


@pytest.mark.parametrize("given", [{}, {"tool_choice": None}, {"tool_choice": ""}])
def test_tool_choice_is_filled_in_where_there_are_tools(given: dict[str, Any]) -> None:
    request = {"messages": [], "tools": [{"type": "function", "function": {"name": "f"}}], **given}
    assert KimiTransformer().request_in(request)["tool_choice"] == "auto"
    none = KimiTransformer({"toolChoiceDefault": "none"}).request_in(request)
    assert none["tool_choice"] == "none"
    assert "tool_choice" not in KimiTransformer().request_in({"messages": [], "tools": []})
    assert KimiTransformer().request_in({**request, "tool_choice": "none"})["tool_choice"] == "none"


def test_a_reserved_option_changes_nothing() -> None:
    for body in (answer({"content": MARKED}), answer({"tool_calls": [call("bad")]})):
        with_it = KimiTransformer({"emitToolCallsInJson": True, "manualToolParsing": True})
        assert with_it.response(body, {}) == KimiTransformer({"manualToolParsing": True}).response(
            body, {}
        )


def test_a_tool_message_error_names_the_message_and_what_it_lacks() -> None:
    request = {"messages": [{"role": "user"}, {"role": "tool", "content": "r"}]}
    with pytest.raises(ToolMessageError, match=r"messages\[1\] lacks tool_call_id"):
        KimiTransformer().request_in(request)


def test_past_ids_get_the_official_form() -> None:
    messages = [
        {"role": "assistant", "tool_calls": [call("search:0"), call("call_9")]},
        {"role": "tool", "tool_call_id": "search:0", "content": "r"},
    ]
    renamed = HistoryIds().request_in({"messages": messages})["messages"]
    assert [one["id"] for one in renamed[0]["tool_calls"]] == ["functions.search:0", "call_9"]
    assert renamed[1]["tool_call_id"] == "functions.search:0"
    assert messages[1]["tool_call_id"] == "search:0"


def test_every_choice_is_put_right_and_a_truncated_one_is_not_said_to_be_whole() -> None:
    body = {
        "choices": [
            {"message": {"tool_calls": [call("bad")]}, "finish_reason": "stop"},
            {"message": {"tool_calls": [call("bad"), call("functions.f:0")]}, "finish_reason": ""},
            {"message": {"tool_calls": [call("bad", arguments='{"a')]}, "finish_reason": "length"},
        ]
    }
    choices = KimiTransformer().response(body, {})["choices"]
    ids = [[one["id"] for one in choice["message"]["tool_calls"]] for choice in choices]
    assert ids == [["functions.f:0"], ["functions.f:0", "functions.f:1"], ["functions.f:0"]]
    assert [choice["finish_reason"] for choice in choices] == ["tool_calls", "tool_calls", "length"]


def test_anchored_ids_and_an_id_less_history_do_not_stop_the_repair() -> None:
    history = [
        {"role": "assistant", "tool_calls": [{"type": "function"}, call("functions.f:2")]},
        {"role": "tool", "tool_call_id": "xfunctions.f:9", "content": "r"},
    ]
    body = answer({"tool_calls": [call("functions.f:1:junk")]})
    message = KimiTransformer().response(body, {"messages": history})["choices"][0]["message"]
    assert message["tool_calls"][0]["id"] == "functions.f:3"


def test_arguments_that_came_as_an_object_become_a_string() -> None:
    body = answer({"tool_calls": [call("bad", arguments={"a": 1})]})
    message = KimiTransformer().response(body, {})["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'


def test_what_was_noticed_is_reported() -> None:
    seen: list[str] = []
    options = {"manualToolParsing": True}
    transformer = KimiTransformer(options, report=lambda report: seen.append(report.kind))
    broken = MARKED.replace("functions.f:0", "weird@id")
    message = transformer.response(answer({"content": broken}), {})["choices"][0]["message"]
    assert "weird@id" in message["content"]
    assert "tool_calls" not in message
    transformer.response(answer({"tool_calls": [call("bad")]}), {})
    assert transformer.response_bytes(b"oops") == b"oops"
    assert seen == ["unparsed", "id-repaired", "finish-reason", "bad-body"]


def test_markers_in_reasoning_are_calls_too() -> None:
    body = answer({"content": "", "reasoning_content": "I look." + MARKED})
    message = KimiTransformer({"manualToolParsing": True}).response(body, {})["choices"][0][
        "message"
    ]
    assert message["reasoning_content"] == "I look.Hi."
    assert message["tool_calls"][0]["function"]["name"] == "f"
