"""The official anthropic package, unmodified, over a socket."""

from collections.abc import Iterator
from typing import Any

import anthropic
import jsonschema_rs
import pytest

EFFECT, KEY = "X-Tinker-Mock-Effect", "tml-text-tests"

MODEL = "Qwen/Qwen3-8B"
HELLO: Any = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def client(anthropic_url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=KEY, base_url=anthropic_url, max_retries=0) as client:
        yield client


def test_a_message_thinks_and_speaks(client: anthropic.Anthropic) -> None:
    message = client.messages.create(model=MODEL, messages=HELLO, max_tokens=200)
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.stop_reason == "end_turn"
    assert message._request_id == message.id
    assert message.usage.output_tokens > 0
    counted = client.messages.count_tokens(model=MODEL, messages=HELLO)
    usage = message.usage
    assert usage.input_tokens == 0
    assert usage.cache_creation_input_tokens == counted.input_tokens
    assert usage.cache_read_input_tokens == 0


def test_thinking_can_be_switched_off(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model=MODEL, messages=HELLO, max_tokens=200, thinking={"type": "disabled"}
    )
    assert [block.type for block in message.content] == ["text"]


def test_events_come_in_order_and_add_up(client: anthropic.Anthropic) -> None:
    kinds = []
    with client.messages.stream(model=MODEL, messages=HELLO, max_tokens=200) as stream:
        for event in stream:
            kinds.append(event.type)
        final = stream.get_final_message()
    wire = [kind for kind in kinds if kind in ORDER]
    assert wire[0] == "message_start"
    assert wire[-2:] == ["message_delta", "message_stop"]
    depth = 0
    for kind in wire[1:-2]:
        depth += {"content_block_start": 1, "content_block_stop": -1}.get(kind, 0)
        assert 0 <= depth <= 1
        assert kind != "content_block_delta" or depth == 1
    assert depth == 0
    assert final.stop_reason == "end_turn"
    assert all(getattr(block, block.type) for block in final.content)


ORDER = {
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
}


def test_stop_sequences_and_limits_have_their_reasons(client: anthropic.Anthropic) -> None:
    asked: dict[str, Any] = {
        "model": "Qwen/Qwen3-8B",
        "messages": HELLO,
        "max_tokens": 200,
    }
    short = client.messages.create(**{**asked, "max_tokens": 2})
    assert short.stop_reason == "max_tokens"
    stopped = client.messages.create(**asked, stop_sequences=["a", "e", "i", "o", "u", " "])
    assert stopped.stop_reason == "stop_sequence"
    assert stopped.stop_sequence in ("a", "e", "i", "o", "u", " ")


def test_a_tool_loop_of_three_turns(
    client: anthropic.Anthropic, weather: dict[str, Any], stocks: dict[str, Any]
) -> None:
    tools: Any = [
        {
            "name": one["name"],
            "description": one["description"],
            "input_schema": one["parameters"],
        }
        for one in (weather, stocks)
    ]
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    for tool in (weather, stocks):
        with client.messages.stream(
            model=MODEL, messages=messages, tools=tools, max_tokens=500
        ) as stream:
            answer = stream.get_final_message()
        assert answer.stop_reason == "tool_use"
        use = answer.content[-1]
        assert use.type == "tool_use"
        assert use.name == tool["name"]
        jsonschema_rs.validate(tool["parameters"], use.input)
        result = {"type": "tool_result", "tool_use_id": use.id, "content": "fine"}
        messages += [
            {"role": "assistant", "content": [block.model_dump() for block in answer.content]},
            {"role": "user", "content": [result]},
        ]
        final = client.messages.create(model=MODEL, messages=messages, tools=tools, max_tokens=300)
        assert final.stop_reason == "end_turn"
        messages += [
            {"role": "assistant", "content": [block.model_dump() for block in final.content]},
            {"role": "user", "content": "And the price of the stock?"},
        ]


def test_tool_choice_any_and_tool(client: anthropic.Anthropic, weather: dict[str, Any]) -> None:
    tools: Any = [{"name": "get_weather", "input_schema": weather["parameters"]}]
    for choice in ({"type": "any"}, {"type": "tool", "name": "get_weather"}):
        answer = client.messages.create(
            model=MODEL,
            messages=HELLO,
            tools=tools,
            tool_choice=choice,  # type: ignore[arg-type]
            max_tokens=500,
        )
        assert answer.stop_reason == "tool_use"


def test_errors_arrive_as_the_packages_own(client: anthropic.Anthropic, anthropic_url: str) -> None:
    ask = client.messages.create
    with pytest.raises(anthropic.NotFoundError, match="did you mean"):
        ask(model="Qwen/Qwen3-9B", messages=HELLO, max_tokens=9)
    with pytest.raises(anthropic.BadRequestError, match=r"context window: \d+ \+ 20000 > 32768"):
        ask(
            model=MODEL, messages=[{"role": "user", "content": "word " * 14_000}], max_tokens=20_000
        )
    block: Any = {"type": "tool_result", "tool_use_id": "toolu_x", "content": "r"}
    with pytest.raises(anthropic.BadRequestError, match="answers no tool call"):
        ask(model=MODEL, messages=[{"role": "user", "content": [block]}], max_tokens=9)
    with pytest.raises(anthropic.RateLimitError):
        ask(model=MODEL, messages=HELLO, max_tokens=9, extra_headers={EFFECT: "return-429"})
    with (
        anthropic.Anthropic(api_key="wrong", base_url=anthropic_url) as stranger,
        pytest.raises(anthropic.AuthenticationError),
    ):
        stranger.messages.count_tokens(model=MODEL, messages=HELLO)


def test_an_error_in_the_middle_of_a_stream_is_raised(client: anthropic.Anthropic) -> None:
    effect = {EFFECT: "break-stream-after-4-events"}
    with (
        pytest.raises(anthropic.APIStatusError, match="in the middle of its answer"),
        client.messages.stream(
            model=MODEL, messages=HELLO, max_tokens=99, extra_headers=effect
        ) as stream,
    ):
        stream.get_final_message()


def test_the_tool_runner_goes_on_without_threads(client: anthropic.Anthropic) -> None:
    """It would have the server keep the conversation, and sends all of it once that is refused."""

    @anthropic.beta_tool
    def get_weather(city: str) -> str:
        """Weather in a city.

        Args:
            city: Its name.
        """
        asked.append(city)
        return "sunny"

    asked: list[str] = []
    runner = client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=300,
        tools=[get_weather],
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
    )
    assert [message.stop_reason for message in runner] == ["tool_use", "end_turn"]
    assert len(asked) == 1
    with pytest.raises(anthropic.BadRequestError, match="not kept between requests") as refused:
        client.messages.create(
            model=MODEL, messages=HELLO, max_tokens=9, extra_body={"thread": {"type": "create"}}
        )
    assert refused.value.body["error"]["details"] == {  # type: ignore[index]
        "error_code": "thread_unsupported_request",
        "unsupported": ["thread"],
    }
