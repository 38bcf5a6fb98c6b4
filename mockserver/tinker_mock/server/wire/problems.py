"""Errors to wire shapes: the one place that knows what a refusal looks like.

The body is `{"detail": sentence, "error": {...}}`: SDKs print it whole, the command lines read
`detail`. A failed promise is a 200 with `error` and `category` at the top level.
"""

from collections.abc import Sequence
from typing import Any

from tinker_mock.contracts import Violation
from tinker_mock.server.errors import BadRequest, ServiceError, Unprocessable
from tinker_mock.server.wire.dialects import Dialect
from tinker_mock.server.wire.exchange import Answer

MAX_VIOLATIONS = 16
LONGEST = 2000
"""Characters of a message."""

SERVICE_WORDS = {
    ("/base_model", "required"): "base_model is required",
    ("/session_id", "required"): (
        "session_id is required. "
        "The version of the Tinker SDK you are using is no longer supported."
    ),
    ("/lora_config/rank", "minimum"): "lora_config.rank must be positive",
}
"""(field, broken rule) -> what the service says about it, with status 400."""


def problem(error: ServiceError) -> Answer:
    """The answer for a refusal."""
    named = {
        "code": error.kind,
        "category": "user",
        "message": _cut(error.message),
        "field": error.pointer,
        "rule": error.rule,
        "fix": error.fix,
        "requirement": error.requirement,
        **error.details,
    }
    body = {
        "detail": _cut(error.message) if not error.fix else f"{_cut(error.message)} ({error.fix})",
        "error": {name: value for name, value in named.items() if value not in ("", None)},
    }
    return Answer(error.status, body, headers=dict(error.headers))


def _cut(message: str) -> str:
    """A name that a client sent may be millions of characters long."""
    return message if len(message) <= LONGEST else f"{message[:LONGEST]}…"


def internal_error(error: BaseException) -> Answer:
    """A defect of the mock itself, said so."""
    message = f"the mock failed on this request: {type(error).__name__}: {error}"
    body = {"detail": message, "error": {"code": "internal", "category": "server"}}
    return Answer(500, body)


BOUNDS = {
    "minimum": "at least ",
    "maximum": "at most ",
    "exclusiveMinimum": "more than ",
    "exclusiveMaximum": "less than ",
    "minLength": "at least ",
    "maxLength": "at most ",
    "minItems": "at least ",
    "maxItems": "at most ",
    "minProperties": "at least ",
    "maxProperties": "at most ",
    "enum": "one of ",
}
"""What a rule's value is to a value that keeps it."""


def contract_breach(violations: Sequence[Violation]) -> ServiceError:
    """A body that breaks the contract: names the first field and lists the others."""
    first = violations[0]
    words = SERVICE_WORDS.get((first.pointer, str(first.rule)))
    if words is not None:
        return BadRequest(
            words,
            pointer=first.pointer,
            rule=str(first.rule),
            fix=_fix(first),
            requirement="errors/field/named",
            details={"violations": [_described(v) for v in violations[:MAX_VIOLATIONS]]},
        )
    where = first.pointer.strip("/") or "body"
    return Unprocessable(
        f"{where.replace('/', '.')}: {first.message}",
        pointer=first.pointer,
        rule=str(first.rule),
        fix=_fix(first),
        requirement="errors/field/named",
        details={"violations": [_described(v) for v in violations[:MAX_VIOLATIONS]]},
    )


def _fix(violation: Violation) -> str:
    if violation.rule == "required":
        return "add the field"
    if violation.rule == "format" and violation.expected == "date-time":
        return "RFC 3339 with a time zone: add Z, as in 2026-07-13T00:00:00Z"
    expected = _short(violation.expected)
    bound = BOUNDS.get(str(violation.rule), "")
    return "" if expected in (None, "", [], {}) else f"expected {bound}{expected}"


def failed_promise(error: str, category: str, dialect: Dialect) -> dict[str, Any]:
    """The 200 body of a failed promise, in the caller's dialect."""
    if dialect.nested_errors:
        nested = {"message": error, "category": category}
        return {"status": "failed", "error": nested, "category": category}
    return {"error": error, "category": category}


def _described(violation: Violation) -> dict[str, Any]:
    return {
        "field": violation.pointer,
        "rule": violation.rule,
        "message": violation.message,
        "expected": _short(violation.expected),
        "actual": _short(violation.actual),
    }


def _short(value: Any) -> Any:
    text = repr(value)
    return value if len(text) <= 200 and not isinstance(value, bytes) else f"{text[:200]}…"
