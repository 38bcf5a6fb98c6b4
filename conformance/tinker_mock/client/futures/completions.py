"""One long poll for all samples of a session: `retrieve_futures`.

Instead of a connection per waiting sample there is one per session; it says which promises are
done, and only then is each result fetched.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from tinker_mock.client.errors import (
    ApiConnectionError,
    ApiStatusError,
    ApiTimeoutError,
    TinkerError,
)
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.retry import retryable_status
from tinker_mock.client.http.transport import Transport

logger = logging.getLogger(__name__)

_HTTP_TIMEOUT = 45.0
_RETRY_WAIT, _BILLING_WAIT = 1.0, 5.0
_BAD_REQUESTS = 3


class SessionCompletions:
    """Waits for promises of one sampling session. Polls only while somebody waits."""

    def __init__(self, transport: Transport, sampling_session_id: str, *, clone: int = 0) -> None:
        self._transport = transport
        self._clock = transport.clock
        self._target = {
            "type": "sampling_session",
            "sampling_session_id": sampling_session_id,
            "cloned_sampler_id": clone,
        }
        self._cursor = 0
        self._early: dict[str, int | None] = {}
        self._waiting: dict[str, asyncio.Future[int | None]] = {}
        self._retrieved: list[str] = []
        self._bad_requests = 0
        self._task: asyncio.Task[None] | None = None

    async def wait_for(self, request_id: str) -> int | None:
        """Return once the promise is done: its result's size in bytes, if the server said.

        Raises what ended the polling for good.
        """
        if request_id in self._early:
            return self._early.pop(request_id)
        done = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = done
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        try:
            result: int | None = await done
            return result
        finally:
            self._waiting.pop(request_id, None)

    def retrieved(self, request_id: str) -> None:
        """The result is here: the server may forget it."""
        self._retrieved.append(request_id)

    async def close(self) -> None:
        """Stop polling."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def call(self) -> Call:
        """The next poll; it reports which results have been fetched."""
        body = {
            "target": self._target,
            "prev_cursor": self._cursor,
            "retrieved_request_ids": list(self._retrieved),
        }
        return Call(
            "POST",
            "/api/v1/retrieve_futures",
            json=body,
            timeout=_HTTP_TIMEOUT,
            max_retries=0,
            pool="futures",
        )

    async def _run(self) -> None:
        while self._waiting:
            reported = len(self._retrieved)
            try:
                reply = await self._transport.send(self.call())
                self._bad_requests = 0
                del self._retrieved[:reported]
                self._take(reply.json())
            except TinkerError as error:
                wait = self._wait_after(error)
                if wait is None:
                    self._fail(error)
                    return
                await self._clock.sleep(wait)
            except Exception as error:  # whoever waits must hear of it
                self._fail(ApiConnectionError(f"retrieve_futures: {error!r}"))
                raise

    def _take(self, body: Mapping[str, Any]) -> None:
        self._cursor = int(body.get("cursor", self._cursor))
        for completion in body.get("completions", ()):
            size = completion.get("response_payload_uncompressed_size")
            self._complete(str(completion["request_id"]), int(size) if size else None)

    def _complete(self, request_id: str, size: int | None) -> None:
        """A promise may be done before anybody has come to wait for it."""
        waiter = self._waiting.pop(request_id, None)
        if waiter is None:
            self._early[request_id] = size
        elif not waiter.done():
            waiter.set_result(size)

    def _wait_after(self, error: TinkerError) -> float | None:
        """Seconds before asking again; `None` if that is pointless."""
        if isinstance(error, (ApiConnectionError, ApiTimeoutError)):
            return _RETRY_WAIT
        if not isinstance(error, ApiStatusError) or error.status is None:
            return None
        if error.status == 402:
            return _BILLING_WAIT
        if error.status == 400 and self._bad_requests < _BAD_REQUESTS:
            self._bad_requests += 1
            return _RETRY_WAIT
        return _RETRY_WAIT if retryable_status(error.status) else None

    def _fail(self, error: TinkerError) -> None:
        for waiter in self._waiting.values():
            if not waiter.done():
                waiter.set_exception(error)
