"""What `retrieve_future` may answer, in all dialects, as one small set of cases."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinker_mock.client.errors import Category, invalid
from tinker_mock.client.http.call import Reply
from tinker_mock.client.watch.queue_state import QueueState

PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Not done. `retry_after_ms` is the server's wish, if it has one."""

    queue_state: QueueState
    queue_state_reason: str | None = None
    retry_after_ms: int | None = None
    stated: bool = True


@dataclass(frozen=True, slots=True)
class Pending:
    """Not done, and nothing said about why."""


@dataclass(frozen=True, slots=True)
class CompleteMetadata:
    """Done; the result is this large and has to be asked for again."""

    payload_bytes: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Done, and it failed. `error` is the server's own object or text."""

    error: Any
    message: str
    category: Category


@dataclass(frozen=True, slots=True)
class Completed:
    """Done: a JSON object, or protobuf bytes."""

    result: Any
    content: bytes | None = None


Answer = TryAgain | Pending | CompleteMetadata | Failed | Completed


def read_answer(reply: Reply) -> Answer:
    """Read a 2xx answer. Raises `ValidationError` if it is not JSON."""
    if reply.content_type == PROTOBUF:
        return Completed(None, reply.content)
    return read_body(reply.json())


def read_body(body: Any) -> Answer:
    """Tell the cases apart: first by `type`, then by `status`, then by `error`."""
    if not isinstance(body, Mapping):
        return Completed(body)
    if body.get("type") == "try_again":
        return read_try_again(body, strict=False)
    status = body.get("status")
    if status == "pending":
        return Pending()
    if status == "complete_metadata":
        return CompleteMetadata(int(body.get("response_payload_size") or 0))
    if status == "failed" or "error" in body:
        return _failed(body)
    if status == "completed" and "result" in body:
        return Completed(body["result"])
    return Completed(body)


def read_try_again(body: Mapping[str, Any], *, strict: bool = True) -> TryAgain:
    """Read a try-again body.

    Strictly, `queue_state` must be a string and `queue_state_reason` a string if present, else
    `ValidationError`; otherwise what cannot be read is taken as unknown.
    """
    state, reason = body.get("queue_state"), body.get("queue_state_reason")
    if strict and not isinstance(state, str):
        raise invalid("try_again: queue_state must be a string")
    if strict and reason is not None and not isinstance(reason, str):
        raise invalid("try_again: queue_state_reason must be a string")
    delay = body.get("retry_after_ms")
    return TryAgain(
        QueueState.parse(state),
        reason if isinstance(reason, str) else None,
        int(delay) if isinstance(delay, (int, float)) else None,
        stated=state is not None or reason is not None,
    )


def _failed(body: Mapping[str, Any]) -> Failed:
    error = body.get("error")
    nested = error if isinstance(error, Mapping) else {}
    message = nested.get("message") or (error if isinstance(error, str) else None)
    category = body.get("category") or nested.get("category")
    return Failed(error, str(message or "the request failed"), Category.parse(category))
