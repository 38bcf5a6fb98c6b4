"""What can go wrong, as types. Only `wire/problems.py` knows how they look on the wire."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

E = TypeVar("E", bound=Exception)


@dataclass(eq=False)
class ServiceError(Exception):
    """A refusal that names the field, the rule it breaks and the fix.

    `pointer` is a JSON pointer into the request; `requirement` an id of the requirement ledger.
    """

    message: str
    pointer: str = ""
    rule: str = ""
    fix: str = ""
    requirement: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    status = 400
    kind = "bad_request"
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message


def forgetful(error: E) -> E:
    """The same, without the frames it came through: they hold the whole request.

    A request that keeps its error would keep itself, with its body, until a garbage collection.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


class BadRequest(ServiceError):
    """The request is well-formed and still cannot be served."""


class Unauthenticated(ServiceError):
    """No usable credential."""

    status = 401
    kind = "authentication"


class PaymentRequired(ServiceError):
    """Billing is paused; SDKs from 0.20 wait and try again."""

    status = 402
    kind = "billing"


class Forbidden(ServiceError):
    """The credential is good, the thing belongs to somebody else."""

    status = 403
    kind = "permission"


class LimitReached(ServiceError):
    """The server holds as many of these as it was told to."""

    status = 403
    kind = "limit"


class StorageFull(ServiceError):
    """What was asked for cannot be kept. A 4xx, which SDKs tell at once: they repeat a 507 for
    hours."""

    status = 413
    kind = "insufficient_storage"


class StorageAway(StorageFull):
    """What was asked for cannot be kept right now; a matter of time."""

    status = 503
    kind = "unavailable"


class NotFound(ServiceError):
    """No such thing for this tenant."""

    status = 404
    kind = "not_found"


class MethodNotAllowed(ServiceError):
    """The path exists, not with this method."""

    status = 405
    kind = "method_not_allowed"


class Conflict(ServiceError):
    """The same key was used before for something else."""

    status = 409
    kind = "conflict"


class NameTaken(Conflict):
    """A checkpoint of that name is there; the request has used up its number all the same."""

    kind = "already_exists"


class Gone(ServiceError):
    """It existed and its time is over: an expired promise, session or checkpoint."""

    status = 410
    kind = "gone"


class UnsupportedMediaType(ServiceError):
    """The body's content type or encoding is not one the operation takes."""

    status = 415
    kind = "unsupported_media_type"


class Unprocessable(ServiceError):
    """The body breaks the contract."""

    status = 422
    kind = "contract"


class TooManyRequests(ServiceError):
    """Throttled; carries `Retry-After`."""

    status = 429
    kind = "rate_limit"


class GoingDown(ServiceError):
    """The server shuts down while the request waits; another instance will answer it."""

    status = 503
    kind = "unavailable"


class OperationFailed(Exception):
    """An accepted operation failed: its promise answers 200 with `error` and `category`."""

    def __init__(self, message: str, category: str = "user") -> None:
        super().__init__(message)
        self.message = message
        self.category = category


class ConfigurationError(Exception):
    """The server cannot start like this (exit code 2)."""
