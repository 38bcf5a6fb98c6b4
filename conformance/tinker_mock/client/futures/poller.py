"""Asking for a promise until it is done, and how long to wait between two polls."""

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal

from tinker_mock.client.config.poll_backoff import poll_waits
from tinker_mock.client.errors import (
    ApiConnectionError,
    ApiStatusError,
    ApiTimeoutError,
    Category,
    PromiseGoneError,
    RequestFailedError,
    TinkerError,
)
from tinker_mock.client.futures.answers import (
    PROTOBUF,
    Completed,
    CompleteMetadata,
    Failed,
    Pending,
    TryAgain,
    read_answer,
)
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.semaphores import BytesSemaphore
from tinker_mock.client.watch.events import EventHub
from tinker_mock.client.watch.queue_state import QueueState, StateChanges

logger = logging.getLogger(__name__)

_BILLING_PAUSE = 5.0
_MAX_WAIT = 30.0
_PAUSED_WAIT = 1.0
Encoding = Literal["json", "protobuf", "either"]

_ACCEPT: dict[Encoding, str] = {
    "json": "application/json",
    "protobuf": PROTOBUF,
    "either": f"{PROTOBUF}, application/json",
}


@dataclass(slots=True)
class Poll:
    """The polling of one promise: what is asked, and what happened so far. Times are seconds."""

    request_id: str
    request_type: str
    encoding: Encoding = "json"
    timeout: float | None = None
    roundtrip: float | None = None
    changes: StateChanges = field(default_factory=StateChanges)
    metadata_first: bool = False
    started: float = 0.0
    iteration: int = 0
    connection_failures: int = 0
    bad_requests: int = 0
    last_error: TinkerError | None = None


class FuturePoller:
    """Polls promises of one client. Large results wait for room in `response_bytes`."""

    def __init__(
        self,
        transport: Transport,
        *,
        response_bytes: BytesSemaphore | None = None,
        billing_window: float = 0.0,
        http_timeout: float | None = None,
    ) -> None:
        self._transport = transport
        self._preset = transport.config.preset
        self._clock = transport.clock
        self._events: EventHub = transport.events
        self._response_bytes = response_bytes or BytesSemaphore(52_428_800)
        self._billing_window = billing_window
        self._http_timeout = http_timeout or self._preset.poll_timeout
        self._waits = poll_waits(transport.config.poll_backoff)

    async def result(self, poll: Poll) -> Completed:
        """Poll until the promise is done.

        Raises `RequestFailedError` (it failed), `PromiseGoneError` (410), `ApiTimeoutError`
        (`poll.timeout` is over) or `ApiStatusError` (the poll itself was rejected).
        """
        poll.started = self._clock.monotonic()
        async with AsyncExitStack() as held:
            while True:
                self._check_deadline(poll)
                try:
                    done = await self._ask(poll, held)
                except ApiStatusError as error:
                    await self._after_status(poll, error)
                except (ApiConnectionError, ApiTimeoutError) as error:
                    await self._after_lost_connection(poll, error)
                else:
                    if done is not None:
                        poll.changes.notify(QueueState.ACTIVE, None)
                        return done
                poll.iteration += 1

    async def _ask(self, poll: Poll, held: AsyncExitStack) -> Completed | None:
        """One request and its answer; `None` means ask again."""
        reply = await self._transport.send(self._call(poll))
        poll.connection_failures = 0
        answer = read_answer(reply)
        if isinstance(answer, Completed):
            return answer
        if isinstance(answer, Failed):
            self._failed(poll, answer)
            await self._clock.sleep(connection_wait(poll.iteration))
        elif isinstance(answer, CompleteMetadata):
            poll.metadata_first = False
            await held.enter_async_context(self._response_bytes.hold(answer.payload_bytes))
        else:
            if isinstance(answer, TryAgain) and answer.stated:
                self._paused(poll, answer.queue_state, answer.queue_state_reason)
            wait = answered_wait(
                answer,
                poll.iteration,
                long_polling=self._preset.poll_waits == "long_poll",
            )
            if wait > 0:
                await self._clock.sleep(wait)
        return None

    def _call(self, poll: Poll) -> Call:
        body: dict[str, object] = {"request_id": poll.request_id}
        if self._preset.asks_client_config:
            body["allow_metadata_only"] = poll.metadata_first
        headers = {
            "x-tinker-request-iteration": str(poll.iteration),
            "x-tinker-request-type": poll.request_type,
            "x-stainless-raw-response": "raw",
        }
        if poll.roundtrip is not None and poll.iteration == 0:
            headers["x-tinker-create-promise-roundtrip-time"] = f"{poll.roundtrip:.6f}"
        return Call(
            "POST",
            "/api/v1/retrieve_future",
            json=body,
            headers=headers,
            accept=_ACCEPT[poll.encoding],
            timeout=self._http_timeout,
            max_retries=0,
            pool="futures",
        )

    def _failed(self, poll: Poll, answer: Failed) -> None:
        """Raise, unless the preset's client hopes that a server's failure heals."""
        told = {"category": answer.category.value, "message": answer.message}
        self._tell("future.request_failed", poll, **told)
        error = RequestFailedError(
            answer.message,
            category=answer.category,
            data={"request_id": poll.request_id, "error": answer.error},
        )
        if not self._preset.repeat_failed_server_work or answer.category is Category.USER:
            poll.changes.notify(QueueState.ACTIVE, None)
            raise error
        poll.last_error = error

    async def _after_status(self, poll: Poll, error: ApiStatusError) -> None:
        status = error.status or 0
        poll.last_error = error
        poll.connection_failures = 0
        self._tell("future.api_error", poll, status=status, error=error)
        if status == 410:
            raise PromiseGoneError(
                f"Promise expired for request {poll.request_id}; submit a new request.",
                category=Category.SERVER,
                status=410,
                data=error.data,
            ) from error
        if status == 408:
            poll.bad_requests = 0
            self._announce(poll, error.data)
        elif status == 429 and self._preset.poll_throttled == "back_off":
            await self._clock.sleep(connection_wait(poll.connection_failures))
        elif status == 402 and self._preset.pauses_on_billing:
            if self._clock.monotonic() - poll.started >= self._billing_window:
                raise error
            await self._clock.sleep(_BILLING_PAUSE)
        elif status == 400 and poll.bad_requests < self._preset.poll_bad_request_budget:
            poll.bad_requests += 1
        elif status < 500:
            raise error
        if self._waits is not None and (status == 408 or status >= 500):
            await self._clock.sleep(self._waits(poll.iteration))

    async def _after_lost_connection(self, poll: Poll, error: TinkerError) -> None:
        poll.last_error = error
        self._tell("future.connection_error", poll, error=error)
        wait = connection_wait(poll.connection_failures)
        poll.connection_failures += 1
        await self._clock.sleep(wait)

    def _announce(self, poll: Poll, body: Mapping[str, object]) -> None:
        state, reason = body.get("queue_state"), body.get("queue_state_reason")
        if state:
            self._paused(poll, QueueState.parse(state), reason if isinstance(reason, str) else None)

    def _paused(self, poll: Poll, state: QueueState, reason: str | None) -> None:
        self._tell("queue.state_change", poll, queue_state=state.value, reason=reason)
        poll.changes.notify(state, reason)

    def _tell(self, name: str, poll: Poll, **data: object) -> None:
        """An event about a promise, with what is known of it."""
        self._events.emit(
            name,
            request_id=poll.request_id,
            request_type=poll.request_type,
            iteration=poll.iteration,
            elapsed_ms=(self._clock.monotonic() - poll.started) * 1000,
            user_metadata=dict(self._transport.config.user_metadata or {}),
            **data,
        )

    def _check_deadline(self, poll: Poll) -> None:
        waited = self._clock.monotonic() - poll.started
        if poll.timeout is None or waited <= poll.timeout:
            return
        self._tell("future.timeout", poll, waited=waited)
        if poll.last_error is not None and self._preset.deadline_error == "last":
            raise poll.last_error
        raise ApiTimeoutError(
            f"Timed out while polling future {poll.request_id}",
            category=Category.SERVER,
            data={"request_id": poll.request_id, "waited_s": waited},
        ) from poll.last_error


def answered_wait(
    answer: TryAgain | Pending, iteration: int, *, long_polling: bool = False
) -> float:
    """The wait after an answer that says "not yet".

    The server's own wish comes first. A server that held the request as long as it could
    (`long_polling`) is asked again at once; else a paused queue is asked every second, another
    one with growing waits.
    """
    if isinstance(answer, TryAgain):
        if answer.retry_after_ms is not None:
            return answer.retry_after_ms / 1000
        if long_polling:
            return 0.0
        if answer.queue_state.paused:
            return _PAUSED_WAIT
    return backoff(iteration)


def connection_wait(failures: int) -> float:
    """The wait after the n-th lost connection in a row (0 = the first)."""
    return backoff(failures)


def backoff(iteration: int) -> float:
    """1, 2, 4 … up to 30."""
    return min(2.0 ** min(iteration, 6), _MAX_WAIT)
