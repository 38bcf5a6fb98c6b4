"""Each quirk: a plain client fails in the documented way, the same one through KimiTransformer
succeeds. Whole and streamed, with the official openai package on both sides."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
import pytest

from tinker_mock.kimi import KimiTransformer, KimiTransport
from tinker_mock.kimi.asgi import KimiMiddleware
from tinker_mock.server.app import create_app
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

MODEL = "moonshotai/Kimi-K2.6"
OFFICIAL = re.compile(r"functions\.get_weather:\d+")
QUESTION = "What is the weather in Oslo?"


@dataclass
class Outcome:
    """What a client made of an answer."""

    reason: str | None = None
    content: str = ""
    reasoning: str = ""
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    events: int = 0

    @property
    def ids(self) -> list[str]:
        return [call["id"] for call in self.calls.values()]

    @property
    def names(self) -> list[str]:
        return [call["name"] for call in self.calls.values()]

    @property
    def arguments_parse(self) -> bool:
        try:
            return all(isinstance(json.loads(c["arguments"]), dict) for c in self.calls.values())
        except ValueError:
            return False

    @property
    def good(self) -> bool:
        """One runnable call in the official form, and nothing of it in the text."""
        return (
            self.reason == "tool_calls"
            and self.names == ["get_weather"]
            and all(OFFICIAL.fullmatch(id) for id in self.ids)
            and self.arguments_parse
            and "<|tool" not in self.content + self.reasoning
        )


def whole(client: openai.OpenAI, asked: dict[str, Any]) -> Outcome:
    choice = client.chat.completions.create(**asked).choices[0]
    extra = choice.message.model_extra or {}
    found = Outcome(choice.finish_reason, choice.message.content or "", events=1)
    found.reasoning = extra.get("reasoning_content") or ""
    for index, call in enumerate(choice.message.tool_calls or ()):
        told: Any = call
        function = told.function
        found.calls[index] = {
            "id": told.id,
            "name": function.name,
            "arguments": function.arguments,
        }
    return found


def streamed(client: openai.OpenAI, asked: dict[str, Any]) -> Outcome:
    """Ids concatenated as the official guidance does, names overwritten as the verifier does."""
    found = Outcome()
    for chunk in client.chat.completions.create(**asked, stream=True):
        found.events += 1
        for choice in chunk.choices:
            found.reason = choice.finish_reason or found.reason
            delta = choice.delta
            found.content += delta.content or ""
            found.reasoning += (delta.model_extra or {}).get("reasoning_content") or ""
            for call in delta.tool_calls or ():
                empty = {"id": "", "name": "", "arguments": ""}
                mine = found.calls.setdefault(call.index, empty)
                mine["id"] += call.id or ""
                if call.function is not None:
                    mine["name"] = call.function.name or mine["name"]
                    mine["arguments"] += call.function.arguments or ""
    return found


@pytest.fixture(scope="module")
def plain(openai_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="tml-quirks", base_url=openai_url, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def through(openai_url: str) -> Iterator[openai.OpenAI]:
    transformer = KimiTransformer({"manualToolParsing": True})
    with (
        httpx.Client(transport=KimiTransport(transformer)) as http,
        openai.OpenAI(api_key="tml-quirks", base_url=openai_url, http_client=http) as client,
    ):
        yield client


def asked(weather: dict[str, Any], quirk: str | None) -> dict[str, Any]:
    effect = {"X-Tinker-Mock-Effect": f"kimi-{quirk}"} if quirk else {}
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": QUESTION}],
        "tools": [{"type": "function", "function": weather}],
        "seed": 11,
        "max_tokens": 400,
        "extra_headers": effect,
    }


def leaks(found: Outcome) -> bool:
    return "<|tool_calls_section_begin|>" in found.content and not found.calls


FAILURES: dict[str, Callable[[Outcome], bool]] = {
    "raw-markers": lambda found: leaks(found) and found.reason == "stop",
    "reasoning-markers": lambda found: (
        "<|tool_call_begin|>" in found.reasoning and not found.content and not found.calls
    ),
    "bare-ids": lambda found: found.ids == ["get_weather:0"],
    "foreign-ids": lambda found: bool(re.fullmatch(r"call_\w+", found.ids[0])),
    "wrong-finish": lambda found: found.reason == "stop" and found.names == ["get_weather"],
}
STREAM_FAILURES: dict[str, Callable[[Outcome], bool]] = {
    "split-deltas": lambda found: (
        found.names == ["eather"[-len(found.names[0]) :]]
        and found.ids == ["functions.get_weather:0" * 2]
    ),
    "json-lines": lambda found: found.events == 0,
}
READ: list[Callable[[openai.OpenAI, dict[str, Any]], Outcome]] = [whole, streamed]


@pytest.mark.parametrize("read", READ)
def test_without_a_quirk_both_clients_succeed(
    plain: openai.OpenAI, through: openai.OpenAI, weather: dict[str, Any], read: Any
) -> None:
    one, other = (read(client, asked(weather, None)) for client in (plain, through))
    assert one.good
    assert (one.calls, one.content, one.reason) == (other.calls, other.content, other.reason)


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("quirk", FAILURES)
def test_a_quirk_breaks_the_plain_client_only(
    plain: openai.OpenAI, through: openai.OpenAI, weather: dict[str, Any], quirk: str, read: Any
) -> None:
    broken = read(plain, asked(weather, quirk))
    assert not broken.good
    assert FAILURES[quirk](broken)
    assert read(through, asked(weather, quirk)).good


@pytest.mark.parametrize("quirk", STREAM_FAILURES)
def test_a_quirk_of_streams_breaks_the_plain_client_only(
    plain: openai.OpenAI, through: openai.OpenAI, weather: dict[str, Any], quirk: str
) -> None:
    broken = streamed(plain, asked(weather, quirk))
    assert not broken.good
    assert STREAM_FAILURES[quirk](broken)
    assert streamed(through, asked(weather, quirk)).good


@pytest.mark.parametrize("read", READ)
def test_a_truncated_call_is_told_apart_from_text_and_from_a_whole_call(
    plain: openai.OpenAI, through: openai.OpenAI, weather: dict[str, Any], read: Any
) -> None:
    broken = read(plain, asked(weather, "truncated-calls"))
    assert leaks(broken)
    rescued = read(through, asked(weather, "truncated-calls"))
    assert rescued.names == ["get_weather"]
    assert rescued.reason == "length"
    assert not rescued.arguments_parse
    assert "<|tool" not in rescued.content


def test_every_quirk_is_proved_and_has_a_scenario(openai_url: str) -> None:
    from tinker_mock.server.scenarios.scenario import scenario_names
    from tinker_mock.server.text.quirks import QUIRKS

    assert set(QUIRKS) == {*FAILURES, *STREAM_FAILURES, "truncated-calls"}
    assert {f"kimi-{quirk}" for quirk in QUIRKS} <= set(scenario_names())


@pytest.mark.tinker_mock(scenario="kimi-raw-markers")
def test_a_scenario_switches_a_quirk_on_for_kimi_models_only(
    tinker_mock: RunningServer, weather: dict[str, Any]
) -> None:
    url = f"{tinker_mock.url}/oai/api/v1"
    with openai.OpenAI(api_key="tml-quirks", base_url=url) as client:
        request = asked(weather, None)
        assert leaks(whole(client, request))
        assert whole(client, {**request, "model": "Qwen/Qwen3-8B"}).names == ["get_weather"]


def test_the_middleware_puts_a_gateway_right(weather: dict[str, Any]) -> None:
    """The mock's own app behind the ASGI middleware, in process."""
    app = create_app(Settings())
    gateway = KimiMiddleware(app, KimiTransformer({"manualToolParsing": True}))

    async def ask(stream: bool) -> httpx.Response:
        transport = httpx.ASGITransport(app=gateway)  # type: ignore[arg-type]
        body = asked(weather, None)
        del body["extra_headers"]
        headers = {"X-API-Key": "tml-quirks", "X-Tinker-Mock-Effect": "kimi-raw-markers"}
        async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
            path = "/oai/api/v1/chat/completions"
            return await client.post(path, json={**body, "stream": stream}, headers=headers)

    whole_answer, streamed_answer = (asyncio.run(ask(stream)) for stream in (False, True))
    app.state.mock.close()
    choice = whole_answer.json()["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["id"] == "functions.get_weather:0"
    assert '"id":"functions.get_weather:0"' in streamed_answer.text
    assert "<|tool" not in streamed_answer.text
