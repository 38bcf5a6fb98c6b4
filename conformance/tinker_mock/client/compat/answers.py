"""Answers that only programs below the clients see, as `tinker.types` names them.

Source: SDK 0.38.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tinker_mock.client.errors import Category

EventType = Literal["SESSION_START", "SESSION_END", "UNHANDLED_EXCEPTION", "GENERIC_EVENT"]
Severity = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


@dataclass(frozen=True)
class AuthTokenResponse:
    """A short-lived token for a key."""

    jwt: str


@dataclass(frozen=True)
class HealthResponse:
    """The server's word about itself."""

    status: Literal["ok"]


@dataclass(frozen=True)
class SessionHeartbeatResponse:
    """The server has noted that the session is needed."""

    type: Literal["session_heartbeat"] = "session_heartbeat"


@dataclass(frozen=True)
class CreateSamplingSessionResponse:
    """The session to sample in."""

    sampling_session_id: str
    type: Literal["create_sampling_session"] = "create_sampling_session"


@dataclass(frozen=True)
class JoinSamplingSessionResponse:
    """Which block of numbers belongs to this process."""

    client_counter: int
    type: Literal["join_sampling_session"] = "join_sampling_session"


@dataclass(frozen=True)
class UntypedAPIFuture:
    """A promise: poll it by its id."""

    request_id: str
    model_id: str | None = None
    sample_sequence_ids: Sequence[str] | None = None


@dataclass(frozen=True)
class RequestFailedResponse:
    """A promise that ended in a failure."""

    error: str
    category: Category


@dataclass(frozen=True)
class SaveWeightsExternalResponseInternal:
    """The path of external weights, and their size."""

    path: str | None = None
    size_bytes: int | None = None
    type: Literal["save_weights_external"] | None = None


@dataclass(frozen=True)
class FutureFinished:
    """A promise of a session that is kept."""

    request_id: str
    state: Literal["finished"] = "finished"
    response_payload_uncompressed_size: int | None = None


@dataclass(frozen=True)
class FutureFailed:
    """A promise of a session that failed."""

    request_id: str
    state: Literal["failed"] = "failed"


@dataclass(frozen=True)
class TelemetryResponse:
    """The events were taken."""

    status: Literal["accepted"]


FutureCompletion = FutureFinished | FutureFailed


@dataclass(frozen=True)
class FuturesRetrieveResponse:
    """Promises that ended, and where to go on."""

    completions: Sequence[FutureCompletion]
    cursor: int
