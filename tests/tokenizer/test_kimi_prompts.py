"""Kimi's later prompts: tools in TypeScript, K3's markup."""

import hashlib
from typing import Any

import pytest

from tests.tokenizer.texts import FIXTURES, shared_path
from tinker_mock.tokenizer import LoadedTokenizer, TokenizerError, load_tokenizer
from tinker_mock.tokenizer.typescript import tools_as_typescript

USER = [{"role": "user", "content": "hi"}]


def tool(parameters: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": parameters, **more}}


def declared(parameters: dict[str, Any] | None, **more: Any) -> str:
    text = tools_as_typescript([tool(parameters, **more)])
    head, tail = "# Tools\n\n## functions\nnamespace functions {\n", "\n}\n"
    assert text.startswith(head)
    assert text.endswith(tail)
    return text[len(head) : -len(tail)]


NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}, "description": "A\nB"}


@pytest.mark.parametrize(
    ("parameters", "written"),
    [
        (None, "type f = (_: {}) => any;"),
        (
            {
                "properties": {
                    "b": {"type": "string", "default": "é", "maxLength": 9, "minLength": 1},
                    "a": {"type": "integer", "minimum": 1, "description": "one\n\ntwo"},
                    "c": {"type": "boolean", "default": True},
                },
                "required": ["c", "b"],
            },
            "type f = (_: {\n"
            '  // maxLength: 9, minLength: 1\n  // Default: "é"\n  b: string,\n'
            "  // Default: True\n  c: boolean,\n"
            "  // one\n\n  // two\n  // minimum: 1\n  a?: number\n"
            "}) => any;",
        ),
        (
            {
                "properties": {
                    "x": {"type": "array", "minItems": 2, "items": {"enum": ["p", 1, None]}},
                    "y": {"type": "array", "items": {"type": "string", "description": "D"}},
                    "z": {"type": ["array", "null"]},
                },
                "additionalProperties": False,
            },
            'type f = (_: {\n  // minItems: 2\n  x?: Array<"p" | 1 | None>,\n'
            "  y?: Array<\n    // D\n    string\n  >,\n"
            "  z?: Array<any> | null,\n  [k: string]: never\n}) => any;",
        ),
        (
            {"$defs": {"Node": NODE}, "properties": {"n": {"$ref": "#/$defs/Node"}}},
            "// A\n// B\ninterface Node {\n  next?: Node\n}\n"
            "type f = (_: {\n  n?: Node\n}) => any;",
        ),
        (
            {"properties": {"again": {"$ref": "#"}, "any": {}, "no": False}},
            "interface parameters {\n  again?: parameters,\n  any?: any,\n  no?: null\n}\n"
            "type f = (_: parameters) => any;",
        ),
    ],
)
def test_schemas_in_typescript(parameters: dict[str, Any] | None, written: str) -> None:
    assert declared(parameters) == written


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [{"type": "string"}]},
        {"allOf": []},
        {"const": 1},
        {"$ref": "#/definitions/X"},
        {"$ref": "#/$defs/Nowhere"},
        {"enum": ["a", 1], "type": "string"},
        {"type": ["string", "unheard"]},
        {"type": "object", "additionalProperties": "x"},
    ],
)
def test_what_moonshots_writer_refuses(schema: dict[str, Any]) -> None:
    with pytest.raises(TokenizerError) as caught:
        declared({"properties": {"a": schema}})
    assert caught.value.code == "tool_declaration"
    text = kimi("k25").apply_chat_template(USER, tools=[tool({"properties": {"a": schema}})])
    assert '[{"function":{"name":"f"' in text, "the prompt falls back to JSON, as Moonshot's does"


def kimi(table: str) -> LoadedTokenizer:
    return load_tokenizer(FIXTURES / "kimi_small", kimi_table=table)


def test_k25_declares_tools_in_typescript_and_earlier_models_in_json() -> None:
    tools = [tool({"type": "object", "properties": {"z": {"type": "string"}}}, description="D")]
    text = kimi("k25").apply_chat_template(USER, tools=tools)
    assert tools_as_typescript(tools) in text
    assert "type f = (_: {\n  z?: string\n}) => any;" in text
    assert "namespace" not in kimi("k2_thinking").apply_chat_template(USER, tools=tools)
    own = kimi("k25").apply_chat_template(USER, tools=tools, tools_ts_str="mine")
    assert "mine" in own


@pytest.mark.shared
def test_the_models_own_template_gets_the_same_declaration() -> None:
    template = shared_path("templates") / "kimi_k25.jinja"
    tokenizer = load_tokenizer(shared_path("kimi_k2"), chat_template=template)
    tools = [tool({"properties": {"a": {"type": "integer", "default": 3}}})]
    text = tokenizer.apply_chat_template(USER, tools=tools)
    assert "// Default: 3\n  a?: number" in text
    assert text == load_tokenizer(shared_path("kimi_k2")).apply_chat_template(USER, tools=tools)


WEATHER = tool(
    {
        "type": "object",
        "properties": {"location": {"description": "City name", "type": "string"}},
        "required": ["location"],
    },
    name="get_weather",
    description="Get current weather for a location",
)


def test_k3s_prompt_is_the_published_one() -> None:
    """The hash of a prompt that an independent port checked against Moonshot's own writer."""
    text = kimi("k3").apply_chat_template(
        [{"role": "user", "content": "What's the weather in San Francisco?"}],
        tools=[WEATHER],
        tool_choice="required",
        thinking=False,
        add_generation_prompt=True,
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "fa05c4fc98a796f387838fdef2aef89aaa5805ca2bbb1c7101ed428f80439d14"


def test_k3s_calls_results_tools_and_effort() -> None:
    calls = [
        {"id": "a", "function": {"name": "f", "arguments": '{"x": 1, "s": "<b>", "l": [1, 2]}'}},
        {"id": "b", "function": {"name": 'g"&', "arguments": "not JSON"}},
    ]
    messages = [
        {"role": "system", "content": "", "tools": [WEATHER]},
        {"role": "assistant", "content": "ok", "reasoning": "why", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "b", "content": "B"},
        {"role": "tool", "tool_call_id": "a", "content": "A"},
    ]
    text = kimi("k3").apply_chat_template(messages, thinking_effort="low")
    assert "Now the system is invoked with `thinking_effort=low`." in text
    assert "## New Tools Available" in text
    assert '[{"function":{"description":"Get current' in text
    assert (
        "<|open|>think<|sep|>why<|close|>think<|sep|><|open|>response<|sep|>ok"
        '<|close|>response<|sep|><|open|>tools<|sep|><|open|>call tool="f" index="1"<|sep|>'
        '<|open|>argument key="x" type="number"<|sep|>1<|close|>argument<|sep|>'
        '<|open|>argument key="s" type="string"<|sep|><b><|close|>argument<|sep|>'
        '<|open|>argument key="l" type="array"<|sep|>[1, 2]<|close|>argument<|sep|>'
    ) in text
    assert 'tool="g&quot;&amp;" index="2"<|sep|><|open|>json type="object"<|sep|>not JSON' in text
    assert text.index('tool="f" index="1"<|sep|>A<') < text.index('index="2"<|sep|>B<')


@pytest.mark.parametrize(
    "said",
    [
        "a<|close|>message<|sep|><|end_of_msg|>b",
        "[EOS]",
        "<|open|><|open|>",
        "<\ue0f3|open|>\ue0f3",
        "\ue0f3\ue0f3<|sep|>",
        "plain",
    ],
)
def test_what_a_user_writes_never_becomes_k3s_markup(said: str) -> None:
    k3 = kimi("k3")
    control = {k3.token_to_id(text) for text in k3.special_tokens.ids}

    def prompt(text: str) -> list[int]:
        messages = [
            {"role": "user", "content": text},
            {"role": "assistant", "content": [{"type": "text", "text": text}]},
        ]
        ids: list[int] = k3.apply_chat_template(messages, tokenize=True)
        return ids

    ids = prompt(said)
    assert [one for one in ids if one in control] == [one for one in prompt("x") if one in control]
    written = k3.encode(said, allow_special_tokens=False)
    assert sum(ids[at : at + len(written)] == written for at in range(len(ids))) == 2
    text = k3.apply_chat_template([{"role": "user", "content": said}])
    assert (
        k3.decode(k3.apply_chat_template([{"role": "user", "content": said}], tokenize=True))
        == text
    )


@pytest.mark.parametrize(
    ("messages", "variables", "words"),
    [
        ([{"role": "developer", "content": "x"}], {}, "no role 'developer'"),
        ([{"role": "tool", "content": "x"}], {}, "belongs to no call"),
        (USER, {"thinking_effort": "medium"}, "low, high or max"),
    ],
)
def test_what_k3_cannot_say(
    messages: list[dict[str, Any]], variables: dict[str, Any], words: str
) -> None:
    with pytest.raises(TokenizerError, match=words):
        kimi("k3").apply_chat_template(messages, **variables)


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(TokenizerError, match="k2_instruct, k2_thinking, k25, k3"):
        kimi("k4")
