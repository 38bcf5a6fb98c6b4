"""How a session stands: running, cancelled, finished, failed. Source: SDK 0.38.0."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ClientSessionFinishSuccess:
    """The client ended as planned."""

    type: Literal["success"] = "success"


@dataclass(frozen=True)
class ClientSessionFinishErrored:
    """The client ended in an error."""

    type: Literal["errored"] = "errored"


@dataclass(frozen=True)
class ClientSessionFinishInterrupted:
    """The client was stopped."""

    type: Literal["interrupted"] = "interrupted"


ClientSessionFinishReason = (
    ClientSessionFinishSuccess | ClientSessionFinishErrored | ClientSessionFinishInterrupted
)


@dataclass(frozen=True)
class SessionFailedRequestReason:
    """A request of the session failed it."""

    request_id: str
    request_type: str
    type: Literal["request"] = "request"


@dataclass(frozen=True)
class SessionFailedTrainingRunReason:
    """A training run of the session failed it."""

    training_run_id: str
    type: Literal["training_run"] = "training_run"


@dataclass(frozen=True)
class SessionFailedSamplingSessionReason:
    """A sampling session of the session failed it."""

    sampling_session_id: str
    type: Literal["sampling_session"] = "sampling_session"


SessionFailedReason = (
    SessionFailedRequestReason | SessionFailedTrainingRunReason | SessionFailedSamplingSessionReason
)


@dataclass(frozen=True)
class SessionActive:
    """The session is running."""

    type: Literal["active"] = "active"


@dataclass(frozen=True)
class SessionCancelled:
    """The session was cancelled from the console."""

    type: Literal["cancelled"] = "cancelled"
    detail: str | None = None


@dataclass(frozen=True)
class ClientSessionFinished:
    """The client said that it was done."""

    reason: ClientSessionFinishReason
    type: Literal["client_finished"] = "client_finished"
    detail: str | None = None


@dataclass(frozen=True)
class SessionFailed:
    """The session failed."""

    category: Literal["user", "internal"]
    reason: SessionFailedReason
    message: str
    type: Literal["failed"] = "failed"


SessionStatus = SessionActive | SessionCancelled | ClientSessionFinished | SessionFailed
