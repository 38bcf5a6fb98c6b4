"""KimiTransformer as ASGI middleware, for gateways and servers.

Pure ASGI: chat completions are rewritten, everything else passes untouched. A request that no
Kimi endpoint can serve is answered 400 in the OpenAI error shape.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from tinker_mock.kimi.exchanges import (
    is_chat,
    new_headers,
    parsed_request,
    transformed_answer,
    transformed_request,
)
from tinker_mock.kimi.registry import Transformer
from tinker_mock.kimi.streams import StreamRewriter
from tinker_mock.kimi.transformer import KimiTransformer, ToolMessageError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class KimiMiddleware:
    """`app = KimiMiddleware(app, transformer)`."""

    def __init__(self, app: App, transformer: Transformer | None = None) -> None:
        self.app = app
        self.transformer = transformer or KimiTransformer()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or not is_chat(scope["method"], scope["path"]):
            await self.app(scope, receive, send)
            return
        body = await _whole_body(receive)
        request = parsed_request(body)
        if request is None:
            await self.app(scope, _replay(body, receive), send)
            return
        try:
            content = transformed_request(self.transformer, request)
        except ToolMessageError as error:
            await _refuse(send, str(error))
            return
        answer = _Answer(self.transformer, request, send)
        await self.app(_with_length(scope, len(content)), _replay(content, receive), answer)


class _Answer:
    """The `send` the wrapped app gets: holds the start back until it knows the body's fate."""

    def __init__(self, transformer: Transformer, request: dict[str, Any], send: Send) -> None:
        self.transformer = transformer
        self.request = request
        self.send = send
        self.start: Message | None = None
        self.rewriter: StreamRewriter | None = None
        self.body: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and 200 <= message["status"] < 300:
            await self._begin(message)
        elif message["type"] == "http.response.body" and (self.start or self.rewriter):
            await self._continue(message)
        else:
            await self.send(message)

    async def _begin(self, message: Message) -> None:
        headers = list(message.get("headers", ()))
        kinds = [v.decode("latin-1") for k, v in headers if k.lower() == b"content-type"]
        encoded = any(k.lower() == b"content-encoding" for k, _ in headers)
        if encoded:  # compressed further in: put this middleware inside the compression
            await self.send(message)
            return
        self.rewriter = self.transformer.stream(kinds[0] if kinds else "", self.request)
        if self.rewriter is None:
            self.start = message
            return
        await self.send({**message, "headers": new_headers(headers, None)})

    async def _continue(self, message: Message) -> None:
        chunk, more = message.get("body", b""), message.get("more_body", False)
        if self.rewriter is not None:
            out = self.rewriter.feed(chunk) + (b"" if more else self.rewriter.finish())
            if out or not more:
                await self.send({**message, "body": out})
            return
        self.body.append(chunk)
        if more or self.start is None:
            return
        body = transformed_answer(self.transformer, b"".join(self.body), self.request)
        headers = new_headers(list(self.start.get("headers", ())), len(body))
        start, self.start = self.start, None
        await self.send({**start, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})


async def _whole_body(receive: Receive) -> bytes:
    body: list[bytes] = []
    more = True
    while more:
        message = await receive()
        body.append(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)
    return b"".join(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _with_length(scope: MutableMapping[str, Any], length: int) -> dict[str, Any]:
    headers = [(k, v) for k, v in scope["headers"] if k.lower() != b"content-length"]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}


async def _refuse(send: Send, message: str) -> None:
    error = {"message": message, "type": "invalid_request_error", "param": "messages"}
    body = orjson.dumps({"error": {**error, "code": None}})
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})
