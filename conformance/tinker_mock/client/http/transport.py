"""`Transport`: sends calls over httpx, tries again where that makes sense."""

import logging
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

import httpx

from tinker_mock.client.clock import Clock, RealClock
from tinker_mock.client.config import ClientConfig, redact_headers
from tinker_mock.client.config.presets import Preset
from tinker_mock.client.errors import (
    ApiConnectionError,
    ApiStatusError,
    ApiTimeoutError,
    Category,
    TinkerError,
)
from tinker_mock.client.http.call import Call, PoolKind, Reply
from tinker_mock.client.http.credentials import ApiKey, Credentials, is_expired_token
from tinker_mock.client.http.pools import POOLS
from tinker_mock.client.http.requests import build_url, encode_body, merge_headers, standard_headers
from tinker_mock.client.http.responses import status_error
from tinker_mock.client.http.retry import HttpRetryPolicy
from tinker_mock.client.watch.events import EventHub
from tinker_mock.client.watch.tracing import trace_headers

logger = logging.getLogger(__name__)


class Transport:
    """One client's connections. Close it, or use it as an async context manager.

    `http` may be any `httpx.AsyncBaseTransport` (an ASGI app in process, a respx router); then
    no connection is pooled here.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        events: EventHub | None = None,
        http: httpx.AsyncBaseTransport | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.config = config
        self.clock = clock or RealClock()
        self.random = random or Random()
        self.events = events or EventHub()
        self.policy = HttpRetryPolicy(config.preset, self.random.random, self.clock.now)
        self.credentials: Credentials = ApiKey(config.api_key)
        self._http = http
        self._new_id = new_id
        self._clients: dict[PoolKind, httpx.AsyncClient] = {}

    async def __aenter__(self) -> "Transport":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def send(self, call: Call) -> Reply:
        """Send until there is an answer below 400.

        Raises `ApiStatusError`, `ApiConnectionError` or `ApiTimeoutError` when attempts are used
        up or another attempt makes no sense.
        """
        limit = self.config.max_retries if call.max_retries is None else call.max_retries
        if call.idempotency_key is None and call.method != "GET":
            call = replace(call, idempotency_key=self._new_id())
        attempt, renewed = 0, False
        while True:
            signed = await self._signed(call)
            outcome = await self._attempt(signed, attempt)
            if isinstance(outcome, Reply):
                return outcome
            if not renewed and await self._renewed(signed, outcome):
                renewed = True
                continue
            delay = self._delay(outcome, attempt) if attempt < limit else None
            if delay is None:
                raise outcome
            logger.debug("retrying %s %s in %.3f s: %s", call.method, call.path, delay, outcome)
            await self.clock.sleep(delay)
            attempt += 1

    async def stream(self, call: Call) -> AsyncIterator[bytes]:
        """Send once and yield the body piece by piece. Raises as `send` does."""
        request = self._request(await self._signed(call))
        try:
            response = await self._client(call.pool).send(
                request, stream=True, follow_redirects=call.follow_redirects
            )
            try:
                headers = {name.lower(): value for name, value in response.headers.items()}
                if response.status_code >= 400:
                    body = await response.aread()
                    raise _error(response.status_code, headers, body, self.config.preset)
                async for piece in response.aiter_bytes():
                    yield piece
            finally:
                await response.aclose()
        except httpx.TimeoutException as error:
            raise _timed_out(call, error) from error
        except httpx.HTTPError as error:
            raise _lost(call, error) from error

    async def _signed(self, call: Call) -> Call:
        if "x-api-key" in call.headers:
            return call
        return replace(call, headers={**call.headers, "x-api-key": await self.credentials.key()})

    async def _renewed(self, call: Call, error: TinkerError) -> bool:
        """Whether the token was refused as expired and there is a new one now."""
        challenge = error.data.get("headers", {}).get("www-authenticate", "")
        if not is_expired_token(error.status, challenge):
            return False
        return await self.credentials.renew(call.headers["x-api-key"])

    def _delay(self, error: TinkerError, attempt: int) -> float | None:
        """Seconds before the next attempt, or `None` when there must not be one."""
        if not isinstance(error, ApiStatusError) or error.status is None:
            return self.policy.delay(attempt)
        headers: Mapping[str, str] = error.data.get("headers", {})
        if not self.policy.should_retry(error.status, headers):
            return None
        return self.policy.delay(attempt, error.status, headers)

    async def _attempt(self, call: Call, attempt: int) -> Reply | TinkerError:
        started = self.clock.monotonic()
        told = {
            "method": call.method,
            "path": call.path,
            "attempt": attempt,
            "pool": call.pool,
            "base_url": self.config.base_url,
            "user_metadata": dict(self.config.user_metadata or {}),
        }
        self.events.emit("http.request.start", **told)
        outcome = await self._exchange(call, self._request(call, attempt))
        failed = isinstance(outcome, TinkerError)
        self.events.emit(
            "http.request.exception" if failed else "http.request.stop",
            **told,
            status=outcome.status,
            result="error" if failed else "ok",
            duration_ms=(self.clock.monotonic() - started) * 1000,
            ended_ns=int(self.clock.now() * 1e9),
            error=outcome if failed else None,
        )
        return outcome

    async def _exchange(self, call: Call, request: httpx.Request) -> Reply | TinkerError:
        if self.config.dump_headers:
            logger.info("%s %s %s", call.method, request.url, redact_headers(request.headers))
        try:
            response = await self._client(call.pool).send(
                request, follow_redirects=call.follow_redirects
            )
        except httpx.TimeoutException as error:
            return _timed_out(call, error)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return _lost(call, error)
        headers = {name.lower(): value for name, value in response.headers.items()}
        _log_deprecation(call, headers)
        if response.status_code >= 400:
            return _error(response.status_code, headers, response.content, self.config.preset)
        return Reply(response.status_code, headers, response.content)

    def anonymous(self) -> httpx.AsyncClient:
        """A client for signed links: same proxy, no key, redirects followed. Close it."""
        return httpx.AsyncClient(follow_redirects=True, **self._route())

    def _request(self, call: Call, attempt: int = 0) -> httpx.Request:
        config = self.config
        timeout = config.timeout if call.timeout is None else call.timeout
        content, content_type = call.content, call.content_type
        if content is None and (call.json is not None or call.files):
            content, content_type = encode_body(call.json, call.files)
        headers = merge_headers(
            trace_headers() if config.otel_propagate else {},
            standard_headers(config, timeout),
            config.default_headers,
            {"accept": call.accept, "x-stainless-retry-count": str(attempt)},
            self._body_headers(call, content_type),
            call.headers,
        )
        return self._client(call.pool).build_request(
            call.method,
            build_url(config.base_url, call.path, call.query, config.default_query),
            content=content,
            headers=headers,
            timeout=timeout,
        )

    def _body_headers(self, call: Call, content_type: str | None) -> dict[str, str]:
        if call.method == "GET":
            return {}
        headers = {"content-type": content_type or "application/json"}
        key = call.idempotency_key
        if key != "":
            headers["x-idempotency-key"] = key or self._new_id()
        return headers

    def _client(self, kind: PoolKind) -> httpx.AsyncClient:
        if kind not in self._clients:
            size = self.config.pool_size * self.config.pool_count
            connections = size if kind == "sampling" else POOLS[kind]
            limits = httpx.Limits(max_connections=connections, max_keepalive_connections=20)
            self._clients[kind] = httpx.AsyncClient(limits=limits, **self._route())
        return self._clients[kind]

    def _route(self) -> dict[str, Any]:
        """The caller's transport, else the proxy, else straight on."""
        if self._http is not None:
            return {"transport": _CallersTransport(self._http)}
        proxy = self.config.proxy
        if proxy is None:
            return {}
        return {"proxy": httpx.Proxy(proxy.url, headers=list(proxy.headers))}


class _CallersTransport(httpx.AsyncBaseTransport):
    """A transport that belongs to the caller: closing a client does not close it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)


def _timed_out(call: Call, error: Exception) -> ApiTimeoutError:
    return ApiTimeoutError(
        f"no answer to {call.method} {call.path}: {type(error).__name__} {error}".strip(),
        category=Category.SERVER,
    )


def _lost(call: Call, error: Exception) -> ApiConnectionError:
    return ApiConnectionError(
        f"{call.method} {call.path}: {type(error).__name__} {error}".strip(),
        category=Category.SERVER,
    )


def _error(status: int, headers: Mapping[str, str], content: bytes, preset: Preset) -> TinkerError:
    """A 400 without a body is a proxy's, not the API's: it counts as no answer."""
    if status == 400 and not content:
        return ApiConnectionError(
            "a 400 without a body, which the API never sends: something between is failing",
            category=Category.SERVER,
        )
    return status_error(status, headers, content, preset=preset)


def _log_deprecation(call: Call, headers: Mapping[str, str]) -> None:
    note = headers.get("x-deprecation-note")
    if note:
        level = logging.ERROR if headers.get("x-deprecation-level") == "error" else logging.WARNING
        logger.log(level, "%s %s is deprecated: %s", call.method, call.path, note)
