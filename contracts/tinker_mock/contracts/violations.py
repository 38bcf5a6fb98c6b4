"""What is wrong with a message, in the terms of the contract."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from jsonschema_rs import ValidationError, ValidationErrorKind

from tinker_mock.contracts.pointer import join

SHOWN = 120
MOST = 100
"""Violations that are told of one message."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken rule: where (`/sampling_params/top_p`), which (`maximum`), wanted and found."""

    pointer: str
    rule: str
    message: str
    expected: Any = None
    actual: Any = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: {self.message}"


def shorten(value: Any) -> Any:
    """A value fit for a message: long text and containers are cut, huge integers are text."""
    if isinstance(value, int) and abs(value) >= 2**63:
        value = str(value)
    text = value if isinstance(value, str) else repr(value)
    return value if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def violations(errors: Iterator[ValidationError], prefix: str = "") -> list[Violation]:
    """The errors of a validator, with alternatives narrowed to the branch that was meant."""
    found: list[Violation] = []
    for error in errors:
        found.extend(_narrow(error, prefix))
        if len(found) >= MOST:
            return found[:MOST]
    return found


def _narrow(error: ValidationError, prefix: str) -> list[Violation]:
    """Descend into the alternative that fits best, told apart by its constants and depth."""
    kind = error.kind
    if isinstance(kind, (ValidationErrorKind.AnyOf, ValidationErrorKind.OneOfNotValid)):
        path = error.instance_path
        branches = [branch for branch in kind.context if branch]
        plausible = [b for b in branches if not _rules_itself_out(b, path)]
        if len(plausible) == 1:
            return violations(iter(plausible[0]), prefix)
        complete = [b for b in plausible if not _lacks_a_field(b, path)]
        if len(complete) == 1:
            return violations(iter(complete[0]), prefix)
        fewest = [b for b in plausible if len(b) == min(map(len, plausible))]
        if len(fewest) == 1 and isinstance(error.instance, dict):
            return violations(iter(fewest[0]), prefix)
        inner = [_violation(one, prefix) for branch in branches for one in branch]
        wanted = "; ".join(dict.fromkeys(one.message for one in inner))
        message = f"{shorten(error.instance)!r} fits none of: {wanted}"
        expected = list(dict.fromkeys(str(one.expected) for one in inner))
        fits = expected[0] if len(expected) == 1 else expected
        return [Violation(prefix + join(path), kind.name, message, fits, _actual(error))]
    return [_violation(error, prefix)]


def _rules_itself_out(branch: list[ValidationError], path: list[str | int]) -> bool:
    """The branch is for another kind of value: other type, other constant, its key is absent."""
    for error in branch:
        depth = len(error.instance_path) - len(path)
        if error.kind.name == "type" and depth == 0:
            return True
        if error.kind.name == "const" and depth == 1:
            return True
    return False


def _lacks_a_field(branch: list[ValidationError], path: list[str | int]) -> bool:
    return any(e.kind.name == "required" and e.instance_path == path for e in branch)


def _violation(error: ValidationError, prefix: str) -> Violation:
    kind = error.kind
    path = list(error.instance_path)
    expected: Any = kind.value
    if isinstance(kind, ValidationErrorKind.Required):
        path.append(kind.property)
        where = prefix + join(path)
        message = f"required field {kind.property!r} is missing"
        return Violation(where, kind.name, message, kind.property, None)
    where = prefix + join(path)
    if isinstance(kind, ValidationErrorKind.AdditionalProperties):
        expected = "no further fields"
        message = f"unknown field {', '.join(map(repr, kind.unexpected))}"
        return Violation(where, kind.name, message, expected, kind.unexpected)
    if kind.name == "type":
        expected = _types(kind)
    return Violation(where, kind.name, _sentence(error, expected), expected, _actual(error))


def _sentence(error: ValidationError, expected: Any) -> str:
    actual = shorten(error.instance)
    return {
        "type": f"{actual!r} is not of type {expected}",
        "enum": f"{actual!r} is not one of {expected}",
        "const": f"{actual!r} is not {expected!r}",
        "maximum": f"{actual!r} is greater than the maximum {expected}",
        "minimum": f"{actual!r} is less than the minimum {expected}",
    }.get(error.kind.name, str(error.message)[: 2 * SHOWN])


def _types(kind: ValidationErrorKind) -> str:
    return " or ".join(getattr(kind, "types", None) or kind.value)


def _actual(error: ValidationError) -> Any:
    return shorten(error.instance)
