"""Submit and poll: what every operation that yields a promise shares."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tinker_mock.client.errors import Category, RequestFailedError, TinkerError, ValidationError
from tinker_mock.client.futures.answers import Completed, read_body
from tinker_mock.client.futures.poller import Encoding, FuturePoller, Poll
from tinker_mock.client.http.call import Call
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.types.json import decode
from tinker_mock.client.watch.queue_state import Observer, StateChanges

T = TypeVar("T")
_READS = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Submitted:
    """The server's receipt, or at once the result. `roundtrip` is seconds."""

    request_id: str
    roundtrip: float
    body: Mapping[str, Any]


class Promises:
    """Submits calls and polls for their results, telling observers about the queue."""

    def __init__(self, connection: Connection, *observers: Observer) -> None:
        self._connection = connection
        self._observers = observers
        self._roundtrips: dict[str, float] = {}

    @property
    def result_encoding(self) -> Encoding:
        """What results of sampling and training passes may come in."""
        connection = self._connection
        if not connection.speaks_protobuf or connection.preset.protobuf == "never":
            return "json"
        return "protobuf" if connection.preset.protobuf == "always" else "either"

    async def submitted(self, call: Call) -> Submitted:
        """POST, persistently; raises `ValidationError` for an answer without a request id."""
        submitted = await self.submitted_or_done(call)
        if not submitted.request_id:
            raise ValidationError(
                f"{call.path}: the answer has no request_id", category=Category.SERVER
            )
        return submitted

    async def submitted_or_done(
        self, call: Call, *, persist: bool = True, passing: tuple[int, ...] = ()
    ) -> Submitted:
        """POST, persistently; `request_id` is empty when the answer already is the result.

        Statuses in `passing` are raised at once, for the caller to deal with.
        """
        connection = self._connection
        started = connection.clock.monotonic()
        persistence = replace(connection.persistence, passing=passing)
        if persist:
            reply = await persistence.run(lambda: connection.transport.send(call))
        else:
            reply = await connection.transport.send(call)
        body = reply.json()
        request_id = str(body.get("request_id") or "") if isinstance(body, Mapping) else ""
        roundtrip = connection.clock.monotonic() - started
        if request_id:
            self._roundtrips[request_id] = roundtrip
        return Submitted(request_id, roundtrip, body)

    async def completed(
        self, request_id: str, request_type: str, encoding: Encoding = "json"
    ) -> Completed:
        """Poll one promise to its end."""
        poll = Poll(
            request_id,
            request_type,
            encoding,
            roundtrip=self._roundtrips.pop(request_id, None),
            changes=StateChanges(*self._observers),
            metadata_first=self._connection.speaks_protobuf,
        )
        try:
            return await self._poller().result(poll)
        except TinkerError:
            raise
        except Exception as error:
            raise RequestFailedError(f"Polling failed: {error}") from error

    def _poller(self) -> FuturePoller:
        """One for each poll: all of them share the connection's budget of response bytes."""
        connection = self._connection
        return FuturePoller(
            connection.transport,
            response_bytes=connection.response_bytes,
            billing_window=connection.settings.billing_exception_max_pause_duration_sec,
        )

    async def read(
        self,
        request_id: str,
        request_type: str,
        reader: Callable[[Completed], T],
        encoding: Encoding = "json",
    ) -> T:
        """Poll, and read the result; a damaged one is fetched again, for the server still has it.

        Raises the reader's `ValidationError` when it stays damaged.
        """
        for _ in range(_READS - 1):
            try:
                return reader(await self.completed(request_id, request_type, encoding))
            except ValidationError as error:
                logger.warning(
                    "the result of %s cannot be read, asking again: %s", request_id, error
                )
        return reader(await self.completed(request_id, request_type, encoding))

    async def outcome(self, submitted: Submitted, request_type: str, cls: type[T]) -> T:
        """The decoded JSON result: polled for, or already there."""
        if not submitted.request_id:
            answer = read_body(submitted.body)
            result = answer.result if isinstance(answer, Completed) else submitted.body
        else:
            return await self.read(
                submitted.request_id, request_type, lambda done: decode(cls, done.result)
            )
        return decode(cls, result)
