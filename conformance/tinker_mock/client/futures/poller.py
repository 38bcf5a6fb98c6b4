"""Asking for a promise until it is done."""

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal

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
from tinker_mock.client.limits import BytesSemaphore
from tinker_mock.client.watch.events import EventHub
from tinker_mock.client.watch.queue_state import QueueState, StateChanges

logger = logging.getLogger(__name__)

_BILLING_PAUSE = 5.0
Encoding = Literal["json", "protobuf", "either"]
_ACCEPT: dict[Encoding, str] = {
    "json": "application/json",
    "protobuf": PROTOBUF,
    "either": f"{PROTOBUF}, application/json",
}


@dataclass(slots=True)
class Question:
    """One promise being polled: what is asked, and what happened so far. Times are seconds."""

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

    async def result(self, question: Question) -> Completed:
        """Poll until the promise is done.

        Raises `RequestFailedError` (it failed), `PromiseGoneError` (410), `ApiTimeoutError`
        (`question.timeout` is over) or `ApiStatusError` (the question itself was rejected).
        """
        question.started = self._clock.monotonic()
        async with AsyncExitStack() as held:
            while True:
                self._check_deadline(question)
                try:
                    done = await self._ask(question, held)
                except ApiStatusError as error:
                    await self._after_status(question, error)
                except (ApiConnectionError, ApiTimeoutError) as error:
                    await self._after_lost_connection(question, error)
                else:
                    if done is not None:
                        question.changes.notify(QueueState.ACTIVE, None)
                        return done
                question.iteration += 1

    async def _ask(self, question: Question, held: AsyncExitStack) -> Completed | None:
        """One question and its answer; `None` means ask again."""
        reply = await self._transport.send(self._call(question))
        question.connection_failures = 0
        answer = read_answer(reply)
        if isinstance(answer, Completed):
            return answer
        if isinstance(answer, Failed):
            self._failed(question, answer)
            await self._clock.sleep(connection_wait(question.iteration))
        elif isinstance(answer, CompleteMetadata):
            question.metadata_first = False
            await held.enter_async_context(self._response_bytes.hold(answer.payload_bytes))
        else:
            if isinstance(answer, TryAgain) and answer.stated:
                self._paused(question, answer.queue_state, answer.queue_state_reason)
            wait = answered_wait(
                answer,
                question.iteration,
                long_polling=self._preset.poll_waits == "long_poll",
            )
            if wait > 0:
                await self._clock.sleep(wait)
        return None

    def _call(self, question: Question) -> Call:
        body: dict[str, object] = {"request_id": question.request_id}
        if self._preset.asks_client_config:
            body["allow_metadata_only"] = question.metadata_first
        headers = {
            "x-tinker-request-iteration": str(question.iteration),
            "x-tinker-request-type": question.request_type,
            "x-stainless-raw-response": "raw",
        }
        if question.roundtrip is not None and question.iteration == 0:
            headers["x-tinker-create-promise-roundtrip-time"] = f"{question.roundtrip:.6f}"
        return Call(
            "POST",
            "/api/v1/retrieve_future",
            json=body,
            headers=headers,
            accept=_ACCEPT[question.encoding],
            timeout=self._http_timeout,
            max_retries=0,
            pool="futures",
        )

    def _failed(self, question: Question, answer: Failed) -> None:
        """Raise, unless the preset's client hopes that a server's failure heals."""
        self._events.emit(
            "future.request_failed",
            request_id=question.request_id,
            request_type=question.request_type,
            category=answer.category.value,
            message=answer.message,
        )
        error = RequestFailedError(
            answer.message,
            category=answer.category,
            data={"request_id": question.request_id, "error": answer.error},
        )
        if not self._preset.repeat_failed_server_work or answer.category is Category.USER:
            question.changes.notify(QueueState.ACTIVE, None)
            raise error
        question.last_error = error

    async def _after_status(self, question: Question, error: ApiStatusError) -> None:
        status = error.status or 0
        question.last_error = error
        question.connection_failures = 0
        self._events.emit(
            "future.api_error", request_id=question.request_id, status=status, error=error
        )
        if status == 410:
            raise PromiseGoneError(
                f"Promise expired for request {question.request_id}; submit a new request.",
                category=Category.SERVER,
                status=410,
                data=error.data,
            ) from error
        if status == 408:
            question.bad_requests = 0
            self._announce(question, error.data)
        elif status == 429 and self._preset.poll_throttled == "back_off":
            await self._clock.sleep(connection_wait(question.connection_failures))
        elif status == 402 and self._preset.pauses_on_billing:
            if self._clock.monotonic() - question.started >= self._billing_window:
                raise error
            await self._clock.sleep(_BILLING_PAUSE)
        elif status == 400 and question.bad_requests < self._preset.poll_bad_request_budget:
            question.bad_requests += 1
        elif status < 500:
            raise error

    async def _after_lost_connection(self, question: Question, error: TinkerError) -> None:
        question.last_error = error
        self._events.emit("future.connection_error", request_id=question.request_id, error=error)
        wait = connection_wait(question.connection_failures)
        question.connection_failures += 1
        await self._clock.sleep(wait)

    def _announce(self, question: Question, body: Mapping[str, object]) -> None:
        state, reason = body.get("queue_state"), body.get("queue_state_reason")
        if state:
            self._paused(
                question, QueueState.parse(state), reason if isinstance(reason, str) else None
            )

    def _paused(self, question: Question, state: QueueState, reason: str | None) -> None:
        self._events.emit(
            "queue.state_change",
            request_id=question.request_id,
            queue_state=state.value,
            reason=reason,
        )
        question.changes.notify(state, reason)

    def _check_deadline(self, question: Question) -> None:
        waited = self._clock.monotonic() - question.started
        if question.timeout is None or waited <= question.timeout:
            return
        self._events.emit("future.timeout", request_id=question.request_id, waited=waited)
        if question.last_error is not None and self._preset.deadline_error == "last":
            raise question.last_error
        raise ApiTimeoutError(
            f"Timed out while polling future {question.request_id}",
            category=Category.SERVER,
            data={"request_id": question.request_id, "waited_s": waited},
        ) from question.last_error


_MAX_WAIT = 30.0
_PAUSED_WAIT = 1.0


def backoff(iteration: int) -> float:
    """1, 2, 4 … up to 30."""
    return min(2.0 ** min(iteration, 6), _MAX_WAIT)


def answered_wait(
    answer: TryAgain | Pending, iteration: int, *, long_polling: bool = False
) -> float:
    """The wait after an answer that says "not yet".

    The server's own wish comes first. A server that held the question as long as it could
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
