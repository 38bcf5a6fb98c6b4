"""What `search_sessions` is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tinker_mock.client.types.records import SessionSearchCursor


@dataclass(frozen=True)
class OwnSearchOwner:
    """The caller's own sessions."""

    type: Literal["own"] = "own"


@dataclass(frozen=True)
class AccessibleSearchOwner:
    """Every owner's sessions that may be read."""

    type: Literal["accessible"] = "accessible"


@dataclass(frozen=True)
class UserSearchOwner:
    """The listed users' sessions."""

    owner_urns: Sequence[str]
    type: Literal["user"] = "user"


@dataclass(frozen=True)
class ActiveSessionStatusQuery:
    """Sessions still running."""

    type: Literal["active"] = "active"


@dataclass(frozen=True)
class CancelledSessionStatusQuery:
    """Sessions cancelled from the console."""

    type: Literal["cancelled"] = "cancelled"


@dataclass(frozen=True)
class FailedSessionStatusQuery:
    """Sessions failed by a request, a training run or a sampling session."""

    type: Literal["failed"] = "failed"


ClientSessionFinishReasonType = Literal["success", "errored", "interrupted"]


@dataclass(frozen=True)
class ClientFinishedSessionStatusQuery:
    """Sessions whose client said that it was done, for any of these reasons or for any at all."""

    reasons: Sequence[ClientSessionFinishReasonType] | None = field(
        default=None, metadata={"omit_null": True}
    )
    type: Literal["client_finished"] = "client_finished"


SearchOwner = OwnSearchOwner | AccessibleSearchOwner | UserSearchOwner
SessionStatusQuery = (
    ActiveSessionStatusQuery
    | CancelledSessionStatusQuery
    | FailedSessionStatusQuery
    | ClientFinishedSessionStatusQuery
)


@dataclass(frozen=True)
class SessionSearchRequest:
    """A search for sessions, all criteria together; one page of 1 to 200."""

    session_id: str | None = None
    project_ids: Sequence[str] | None = None
    user_metadata: Mapping[str, str] = field(default_factory=dict)
    display_name: str | None = None
    owner: SearchOwner = field(default_factory=OwnSearchOwner)
    statuses: Sequence[SessionStatusQuery] | None = None
    limit: int = 50
    cursor: SessionSearchCursor | None = None
