"""The same answers through httpx (sync, async, compressed) and through ASGI."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tinker_mock.kimi import AsyncKimiTransport, KimiTransformer, KimiTransport, ToolMessageError
from tinker_mock.kimi.asgi import KimiMiddleware

URL = "https://provider.invalid/v1/chat/completions"
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ANSWER = {"choices": [{"index": 0, "message": {"tool_calls": [CALL]}, "finish_reason": "stop"}]}
DELTA = {"tool_calls": [{"index": 0, **CALL}]}
FRAME = json.dumps({"choices": [{"index": 0, "delta": DELTA}]}).encode()
TOOLS = [{"type": "function", "function": {"name": "f"}}]


class Provider:
    """Answers like a careless provider and remembers what it was asked."""

    def __init__(self, kind: str = "json", status: int = 200) -> None:
        self.kind = kind
        self.status = status
        self.asked: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(request.content) if request.content else None)
        if self.kind == "stream":
            headers = {"content-type": "application/x-ndjson"}
            return httpx.Response(self.status, headers=headers, stream=Lines())
        headers = {"content-type": "application/json", "x-request-id": "7"}
        body = b"<html>" if self.kind == "broken" else json.dumps(ANSWER).encode()
        if self.kind == "gzip":
            headers["content-encoding"], body = "gzip", gzip.compress(body)
        return httpx.Response(self.status, headers=headers, content=body)


class Lines(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield FRAME[:9]
        yield FRAME[9:] + b"\n"

    async def __aiter__(self) -> Any:
        for piece in self:
            yield piece


def fixed_id(response: httpx.Response) -> Any:
    return response.json()["choices"][0]["message"]["tool_calls"][0]["id"]


@pytest.mark.parametrize("kind", ["json", "gzip"])
def test_a_sync_client_sees_repaired_answers(kind: str) -> None:
    provider = Provider(kind)
    with httpx.Client(transport=KimiTransport(inner=httpx.MockTransport(provider))) as client:
        response = client.post(URL, json={"messages": [], "tools": TOOLS})
    assert fixed_id(response) == "functions.f:0"
    assert response.headers["x-request-id"] == "7"
    assert int(response.headers["content-length"]) == len(response.content)
    assert provider.asked[0]["tool_choice"] == "auto"


def test_a_stream_is_rewritten_while_it_is_read() -> None:
    provider = Provider("stream")
    transport = KimiTransport(inner=httpx.MockTransport(provider))
    with (
        httpx.Client(transport=transport) as client,
        client.stream("POST", URL, json={"messages": []}) as response,
    ):
        assert response.headers["content-type"] == "text/event-stream"
        text = "".join(response.iter_text())
    assert '"functions.f:0"' in text
    assert text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("kind", "status", "path"), [("broken", 200, ""), ("json", 500, ""), ("json", 200, "/other")]
)
def test_what_is_not_a_good_chat_answer_passes_as_it_came(
    kind: str, status: int, path: str
) -> None:
    provider = Provider(kind, status)
    with httpx.Client(transport=KimiTransport(inner=httpx.MockTransport(provider))) as client:
        through = client.post(URL + path, json={"messages": []})
    plain = provider(httpx.Request("POST", URL, json={}))
    assert (through.status_code, through.content) == (plain.status_code, plain.read())


def test_a_request_no_kimi_endpoint_can_serve_is_not_sent() -> None:
    provider = Provider()
    with (
        httpx.Client(transport=KimiTransport(inner=httpx.MockTransport(provider))) as client,
        pytest.raises(ToolMessageError),
    ):
        client.post(URL, json={"messages": [{"role": "tool", "content": "r"}]})
    assert provider.asked == []


async def async_session() -> tuple[Any, str]:
    transports = [
        AsyncKimiTransport(inner=httpx.MockTransport(Provider(kind))) for kind in ("json", "stream")
    ]
    async with httpx.AsyncClient(transport=transports[0]) as client:
        whole = fixed_id(await client.post(URL, json={"messages": []}))
    async with (
        httpx.AsyncClient(transport=transports[1]) as client,
        client.stream("POST", URL, json={"messages": []}) as response,
    ):
        return whole, "".join([text async for text in response.aiter_text()])


def test_an_async_client_sees_the_same() -> None:
    whole, text = asyncio.run(async_session())
    assert whole == "functions.f:0"
    assert '"functions.f:0"' in text


async def provider_app(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    asked = json.loads(message["body"])
    streaming = asked.get("stream")
    kind = b"text/event-stream" if streaming else b"application/json"
    headers = [(b"content-type", kind), (b"x-tool-choice", str(asked.get("tool_choice")).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = b"data: " + FRAME + b"\n\n" if streaming else json.dumps(ANSWER).encode()
    for piece, more in ((body[:20], True), (body[20:], False)):
        await send({"type": "http.response.body", "body": piece, "more_body": more})


async def through_asgi(path: str, body: Any) -> httpx.Response:
    app = KimiMiddleware(provider_app, KimiTransformer())
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
        return await client.post(path, json=body)


def test_the_middleware_rewrites_whole_answers_and_streams() -> None:
    path = "/v1/chat/completions"
    whole = asyncio.run(through_asgi(path, {"messages": [], "tools": TOOLS}))
    assert fixed_id(whole) == "functions.f:0"
    assert whole.headers["x-tool-choice"] == "auto"
    assert int(whole.headers["content-length"]) == len(whole.content)
    streamed = asyncio.run(through_asgi(path, {"messages": [], "stream": True}))
    assert '"functions.f:0"' in streamed.text
    other = asyncio.run(through_asgi("/v1/embeddings", {"messages": []}))
    assert fixed_id(other) == "call_1"


def test_the_middleware_refuses_in_the_openai_shape() -> None:
    body = {"messages": [{"role": "tool", "content": "r"}]}
    refused = asyncio.run(through_asgi("/v1/chat/completions", body))
    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert "messages[0] lacks tool_call_id" in refused.json()["error"]["message"]
