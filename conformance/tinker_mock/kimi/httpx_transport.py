"""KimiTransformer around any httpx client: `httpx.Client(transport=KimiTransport(...))`.

Only `POST …/chat/completions` is looked at, and only successful answers are changed.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx

from tinker_mock.kimi.exchanges import (
    is_chat,
    new_headers,
    parsed_request,
    transformed_answer,
    transformed_request,
)
from tinker_mock.kimi.registry import Transformer
from tinker_mock.kimi.streams import StreamRewriter
from tinker_mock.kimi.transformer import KimiTransformer


class KimiTransport(httpx.BaseTransport):
    """For `httpx.Client`. `inner` does the sending (default: a plain HTTP transport)."""

    def __init__(
        self, transformer: Transformer | None = None, inner: httpx.BaseTransport | None = None
    ) -> None:
        self.transformer = transformer or KimiTransformer()
        self.inner = inner or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the transformed request, return the transformed answer."""
        body = parsed_request(request.read()) if _is_chat(request) else None
        if body is None:
            return self.inner.handle_request(request)
        content = transformed_request(self.transformer, body)
        response = self.inner.handle_request(_with_content(request, content))
        if not response.is_success:
            return response
        rewriter = self.transformer.stream(_content_type(response), body)
        if rewriter is not None:
            return _streamed(response, _SyncStream(response, rewriter))
        try:
            answer = transformed_answer(self.transformer, response.read(), body)
        finally:
            response.close()
        return _whole(response, answer)

    def close(self) -> None:
        """Close the inner transport."""
        self.inner.close()


class AsyncKimiTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient`."""

    def __init__(
        self,
        transformer: Transformer | None = None,
        inner: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.transformer = transformer or KimiTransformer()
        self.inner = inner or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the transformed request, return the transformed answer."""
        body = parsed_request(await request.aread()) if _is_chat(request) else None
        if body is None:
            return await self.inner.handle_async_request(request)
        content = transformed_request(self.transformer, body)
        response = await self.inner.handle_async_request(_with_content(request, content))
        if not response.is_success:
            return response
        rewriter = self.transformer.stream(_content_type(response), body)
        if rewriter is not None:
            return _streamed(response, _AsyncStream(response, rewriter))
        try:
            answer = transformed_answer(self.transformer, await response.aread(), body)
        finally:
            await response.aclose()
        return _whole(response, answer)

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self.inner.aclose()


class _SyncStream(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response, rewriter: StreamRewriter) -> None:
        self.response = response
        self.rewriter = rewriter

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.response.iter_bytes():
            if out := self.rewriter.feed(chunk):
                yield out
        if out := self.rewriter.finish():
            yield out

    def close(self) -> None:
        self.response.close()


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, rewriter: StreamRewriter) -> None:
        self.response = response
        self.rewriter = rewriter

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.response.aiter_bytes():
            if out := self.rewriter.feed(chunk):
                yield out
        if out := self.rewriter.finish():
            yield out

    async def aclose(self) -> None:
        await self.response.aclose()


def _is_chat(request: httpx.Request) -> bool:
    return is_chat(request.method, request.url.path)


def _content_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", ""))


def _with_content(request: httpx.Request, content: bytes) -> httpx.Request:
    headers = request.headers.copy()
    headers["content-length"] = str(len(content))
    headers.pop("transfer-encoding", None)
    return httpx.Request(
        request.method,
        request.url,
        headers=headers,
        content=content,
        extensions=request.extensions,
    )


def _streamed(
    response: httpx.Response, stream: httpx.SyncByteStream | httpx.AsyncByteStream
) -> httpx.Response:
    headers = new_headers(response.headers.raw, None)
    return httpx.Response(
        response.status_code, headers=headers, stream=stream, extensions=_extensions(response)
    )


def _whole(response: httpx.Response, body: bytes) -> httpx.Response:
    headers = new_headers(response.headers.raw, len(body))
    return httpx.Response(
        response.status_code, headers=headers, content=body, extensions=_extensions(response)
    )


def _extensions(response: httpx.Response) -> Mapping[str, Any]:
    return {k: v for k, v in response.extensions.items() if k != "network_stream"}
