"""The Anthropic-compatible endpoint does what the service's documentation and witnesses say."""

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

KEY = "tml-fidelity"
INKLING, QWEN = "thinkingmachines/Inkling", "Qwen/Qwen3-8B"
HELLO: Any = [{"role": "user", "content": "Why is the sky blue?"}]


@pytest.fixture(scope="module")
def client(anthropic_url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=KEY, base_url=anthropic_url, max_retries=0) as client:
        yield client


def asked(model: str = INKLING, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": HELLO, "max_tokens": 300, **more}


def kinds(message: Any) -> list[str]:
    return [block.type for block in message.content]


def thought(message: Any) -> str:
    return "".join(block.thinking for block in message.content if block.type == "thinking")


def png(width: int, height: int) -> str:
    """A grey picture, as base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * width) * height)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")]
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def shown(data: str, media_type: str = "image/png") -> Any:
    source = {"type": "base64", "media_type": media_type, "data": data}
    picture = {"type": "image", "source": source}
    return [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}]


# --- effort and thinking -----------------------------------------------------------------------


def test_inkling_thinks_by_default(client: anthropic.Anthropic) -> None:
    message = client.messages.create(**asked())
    assert kinds(message) == ["thinking", "text"]
    assert message.stop_reason == "end_turn"


def test_more_effort_is_more_thinking(client: anthropic.Anthropic) -> None:
    spent = []
    for effort in ("low", "medium", "high", "xhigh", "max"):
        message = client.messages.create(**asked(output_config={"effort": effort}))
        spent.append(len(thought(message)))
    low, medium, *more = spent
    assert low < medium < min(more)


@pytest.mark.parametrize("effort", ["none", "minimal", "ultra", 0.5, 0, True])
def test_another_effort_is_unprocessable(client: anthropic.Anthropic, effort: Any) -> None:
    for model in (INKLING, QWEN):
        with pytest.raises(anthropic.UnprocessableEntityError) as refused:
            client.messages.create(**asked(model, output_config={"effort": effort}))
        assert "effort" in refused.value.response.text


def test_thinking_can_be_disabled_and_budgets_are_ignored(client: anthropic.Anthropic) -> None:
    for model in (INKLING, QWEN):
        off = client.messages.create(**asked(model, thinking={"type": "disabled"}))
        assert kinds(off) == ["text"]
        for thinking in ({"type": "adaptive"}, {"type": "enabled", "budget_tokens": 1024}):
            on = client.messages.create(**asked(model, thinking=thinking))
            assert kinds(on) == ["thinking", "text"]


def test_thinking_blocks_are_replayed_verbatim(client: anthropic.Anthropic) -> None:
    first = client.messages.create(**asked(thinking={"type": "adaptive"}))
    said = [block.model_dump() for block in first.content]
    turns = [*HELLO, {"role": "assistant", "content": said}, {"role": "user", "content": "Go on."}]
    assert client.messages.create(**asked(messages=turns)).stop_reason == "end_turn"


def test_a_stream_thinks_first(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**asked()) as stream:
        final = stream.get_final_message()
    assert kinds(final) == ["thinking", "text"]


# --- usage and limits --------------------------------------------------------------------------


def test_what_was_read_before_is_read_from_the_cache(client: anthropic.Anthropic) -> None:
    """Whole blocks of 16 tokens, never the last token."""
    long: Any = [{"role": "user", "content": [{"type": "text", "text": "sky " * 300}]}]
    long[0]["content"][0]["cache_control"] = {"type": "ephemeral"}
    body = asked(QWEN, messages=long, max_tokens=4)
    size = client.messages.count_tokens(model=QWEN, messages=long).input_tokens
    first, second = (client.messages.create(**body).usage for _ in range(2))
    assert (first.input_tokens, first.cache_creation_input_tokens) == (0, size)
    assert first.cache_read_input_tokens == 0
    cached = (size - 1) // 16 * 16
    assert second.input_tokens == 0
    assert second.cache_read_input_tokens == cached
    assert second.cache_creation_input_tokens == size - cached
    with client.messages.stream(**body) as stream:
        assert stream.get_final_message().usage.cache_read_input_tokens == cached


def test_a_cache_is_its_keys_and_its_models_own(
    client: anthropic.Anthropic, anthropic_url: str
) -> None:
    body = asked(QWEN, messages=[{"role": "user", "content": "grass " * 200}], max_tokens=4)
    client.messages.create(**body)
    with anthropic.Anthropic(api_key="tml-other", base_url=anthropic_url) as stranger:
        assert stranger.messages.create(**body).usage.cache_read_input_tokens == 0
    other = client.messages.create(**{**body, "model": "Qwen/Qwen3.5-4B"})
    assert other.usage.cache_read_input_tokens == 0


def test_usage_is_plain_with_the_quirk() -> None:
    with (
        RunningServer(Settings(port=0, quirks=["plain-usage"])) as server,
        anthropic.Anthropic(api_key=KEY, base_url=f"{server.url}/anthropic/api") as client,
    ):
        counted = client.messages.count_tokens(model=QWEN, messages=HELLO).input_tokens
        for _ in range(2):
            usage = client.messages.create(**asked(QWEN, max_tokens=4)).usage
            assert usage.input_tokens == counted
            assert usage.cache_read_input_tokens == usage.cache_creation_input_tokens == 0


def test_inkling_takes_a_limit_beyond_its_context(client: anthropic.Anthropic) -> None:
    for limit in (16_000, 200_000):
        message = client.messages.create(**asked(max_tokens=limit), timeout=60)
        assert message.stop_reason == "end_turn"
    with pytest.raises(anthropic.BadRequestError, match=r"context window: \d+ \+ 200000 > 32768"):
        client.messages.create(**asked(QWEN, max_tokens=200_000), timeout=60)
    endless: Any = [{"role": "user", "content": "word " * 70_000}]
    with pytest.raises(anthropic.BadRequestError, match="context window"):
        client.messages.create(**asked(messages=endless, max_tokens=200_000), timeout=60)


def test_a_limit_beyond_the_context_is_held_with_the_quirk() -> None:
    with (
        RunningServer(Settings(port=0, quirks=["max-tokens-held"])) as server,
        anthropic.Anthropic(api_key=KEY, base_url=f"{server.url}/anthropic/api") as client,
        pytest.raises(anthropic.BadRequestError, match="context window"),
    ):
        client.messages.create(**asked(max_tokens=200_000), timeout=60)


def test_speed_and_its_beta_header_are_ignored(anthropic_url: str) -> None:
    headers = {"x-api-key": KEY, "anthropic-beta": "fast-mode-2026-02-01"}
    body = asked(max_tokens=4, speed="fast")
    answer = httpx.post(f"{anthropic_url}/v1/messages", json=body, headers=headers, timeout=60)
    assert answer.status_code == 200


def test_a_bearer_key_is_taken_too(anthropic_url: str) -> None:
    with anthropic.Anthropic(auth_token=KEY, base_url=anthropic_url) as client:
        assert client.messages.create(**asked(max_tokens=4)).type == "message"


# --- pictures and sounds -----------------------------------------------------------------------


def test_a_picture_takes_its_tokens(client: anthropic.Anthropic) -> None:
    def counted(messages: Any) -> int:
        return client.messages.count_tokens(model=INKLING, messages=messages).input_tokens

    text = counted([{"role": "user", "content": "What is it?"}])
    small, large = (counted(shown(png(side, side))) for side in (64, 640))
    assert text < small < large
    message = client.messages.create(**asked(messages=shown(png(64, 64))))
    assert message.stop_reason == "end_turn"
    assert message.usage.cache_creation_input_tokens is not None
    assert message.usage.cache_read_input_tokens is not None
    read = message.usage.cache_creation_input_tokens + message.usage.cache_read_input_tokens
    assert read == small


def test_a_picture_may_come_with_a_tools_result(
    client: anthropic.Anthropic, weather: dict[str, Any]
) -> None:
    tools: Any = [{"name": "get_weather", "input_schema": weather["parameters"]}]
    use = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}
    [picture] = [b for b in shown(png(64, 64))[0]["content"] if b["type"] == "image"]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture]}
    turns: Any = [
        *HELLO,
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    assert client.messages.create(**asked(messages=turns, tools=tools)).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("model", "messages", "words"),
    [
        (QWEN, shown(png(8, 8)), "takes no pictures"),
        (INKLING, shown("AAAA"), "not a png image"),
        (INKLING, shown("?"), "not base64"),
        (INKLING, shown(png(8, 8), "image/webp"), "image/webp is not taken"),
    ],
)
def test_what_is_no_picture_for_the_model_is_refused(
    client: anthropic.Anthropic, model: str, messages: Any, words: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=words):
        client.messages.create(**asked(model, messages=messages))


@pytest.mark.parametrize(
    "source",
    [
        {"type": "url", "url": "https://example.com/x.png"},
        {"type": "base64", "media_type": ["image/png"], "data": "AAAA"},
        {"type": "base64", "media_type": "image/png", "data": 7},
        {"type": "base64", "media_type": "image/png"},
        {},
        None,
    ],
)
def test_a_source_that_is_none_is_refused(client: anthropic.Anthropic, source: Any) -> None:
    block: Any = {"type": "image", "source": source}
    with pytest.raises(anthropic.BadRequestError, match=r"source|image"):
        client.messages.create(**asked(messages=[{"role": "user", "content": [block]}]))


def test_sound_is_not_taken(client: anthropic.Anthropic) -> None:
    source = {"type": "base64", "media_type": "audio/wav", "data": "AAAA"}
    block: Any = {"type": "audio", "source": source}
    with pytest.raises(anthropic.BadRequestError, match="type"):
        client.messages.create(**asked(messages=[{"role": "user", "content": [block]}]))
