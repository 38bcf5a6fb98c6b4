"""What can go wrong, in five kinds, each with a category that says whose fault it is.

A *user* error will fail again if repeated; *server* and *unknown* errors may pass next time.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Category(StrEnum):
    """Whose fault a failure is, as servers spell it on the wire."""

    UNKNOWN = "unknown"
    SERVER = "server"
    USER = "user"
    Unknown = UNKNOWN  # the SDK's spelling of the three
    Server = SERVER
    User = USER

    @classmethod
    def parse(cls, text: object) -> "Category":
        """Read a category in any case; everything unreadable is `UNKNOWN`."""
        try:
            return cls(str(text).strip().lower())
        except ValueError:
            return cls.UNKNOWN

    @property
    def retryable(self) -> bool:
        return self is not Category.USER


class TinkerError(Exception):
    """The base of every error this client raises on purpose.

    `status` is the HTTP status if there was one, `data` what else is known (the answer's body,
    the allowed values …), `retry_after_ms` the server's advice.
    """

    kind = "request_failed"

    def __init__(
        self,
        message: str,
        *,
        category: Category = Category.UNKNOWN,
        status: int | None = None,
        data: Mapping[str, Any] | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.category = category
        self.status = status
        self.data: dict[str, Any] = dict(data or {})
        self.retry_after_ms = retry_after_ms

    def __str__(self) -> str:
        status = "" if self.status is None else f" ({self.status})"
        return f"[{self.kind}{status}] {self.message}"

    @property
    def status_code(self) -> int | None:
        """The status by the SDK's name."""
        return self.status

    @property
    def user_error(self) -> bool:
        """Whether repeating the same call is pointless."""
        return self.category is Category.USER or is_user_status(self.status)

    @property
    def retryable(self) -> bool:
        return not self.user_error


class ApiError(TinkerError):
    """A call went wrong: no answer, no answer in time, or one that is not success."""


class ApiConnectionError(ApiError):
    """No answer: refused, reset, cut, or not understood as HTTP."""

    kind = "api_connection"


class ApiTimeoutError(ApiConnectionError, TimeoutError):
    """No answer in time, or no progress in time. Also a `TimeoutError`."""

    kind = "api_timeout"


class ApiStatusError(ApiError):
    """An answer with a status that is not success."""

    kind = "api_status"


class BadRequestError(ApiStatusError):
    """400: the request breaks a rule."""


class AuthenticationError(ApiStatusError):
    """401: no key, or one that is not known."""


class BillingError(ApiStatusError):
    """402: the account cannot pay at the moment."""


class PermissionDeniedError(ApiStatusError):
    """403: the key's role, or the owner, does not allow it."""


class NotFoundError(ApiStatusError):
    """404: there is no such thing."""


class ConflictError(ApiStatusError):
    """409: it contradicts what is there already."""


class UnprocessableEntityError(ApiStatusError):
    """422: a field has no sense."""


class RateLimitError(ApiStatusError):
    """429: too many at a time; `retry_after_ms` is the server's advice."""


class InternalServerError(ApiStatusError):
    """500 and above: the server's own fault."""


_BY_STATUS: Mapping[int, type[ApiStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: BillingError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def error_class(status: int) -> type[ApiStatusError]:
    """The class for a status; `ApiStatusError` itself where none is special."""
    return _BY_STATUS.get(status, InternalServerError if status >= 500 else ApiStatusError)


class RequestFailedError(TinkerError):
    """The server took the request and its promise failed."""

    kind = "request_failed"


class ValidationError(TinkerError, ValueError):
    """Rejected here, before anything was sent, or an answer that makes no sense."""

    kind = "validation"


class PromiseGoneError(TinkerError):
    """410: the server no longer knows the promise; the whole request must be sent again."""

    kind = "api_status"


class PoisonedClientError(TinkerError):
    """An earlier operation of this training client was never accepted by the server.

    Operations run in the order of their numbers, so nothing after the gap can run any more.
    """

    kind = "request_failed"


def is_user_status(status: int | None) -> bool:
    """4xx blames the caller, except 408, 410 and 429 which speak about time."""
    return status is not None and 400 <= status < 500 and status not in (408, 410, 429)


def invalid(message: str, **data: Any) -> ValidationError:
    """A validation error that is the caller's fault."""
    return ValidationError(message, category=Category.USER, data=data)
