"""KimiTransformer's options, in the JSON form of its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from tinker_mock.kimi.markers import ToolTokens

TOKEN_NAMES = {
    "sectionBegin": "section_begin",
    "sectionEnd": "section_end",
    "callBegin": "call_begin",
    "callEnd": "call_end",
    "argBegin": "argument_begin",
}
TOOL_CHOICES = ("auto", "none", "required")


class OptionError(ValueError):
    """A configuration that cannot be meant: names the option, the rule and the fix."""


def _option(json_name: str, default: Any) -> Any:
    return field(default=default, metadata={"json": json_name})


@dataclass(frozen=True)
class KimiOptions:
    """What the transformer does; the defaults are right for a standard Kimi K2 endpoint."""

    tool_choice_default: str = _option("toolChoiceDefault", "auto")
    accept_role_tool: bool = _option("acceptRoleTool", True)
    enforce_finish_reason_loop: bool = _option("enforceFinishReasonLoop", True)
    manual_tool_parsing: bool = _option("manualToolParsing", False)
    emit_tool_calls_in_json: bool = _option("emitToolCallsInJson", False)
    """Reserved: accepted, without effect."""
    assemble_tool_deltas: bool = _option("assembleToolDeltas", False)
    id_normalization: bool = _option("idNormalization", False)
    repair_on_mismatch: bool = _option("repairOnMismatch", True)
    id_prefix: str = _option("idPrefix", "functions")
    counter_scope: str = _option("counterScope", "conversation")
    repair_history: bool = _option("repairHistory", True)
    """Past calls get Kimi's ids, and their reasoning_content where thinking demands it."""
    fit_tool_choice: bool = _option("fitToolChoice", True)
    """A forced tool choice that thinking refuses becomes one that is taken."""
    tool_tokens: ToolTokens = field(default_factory=ToolTokens, metadata={"json": "toolTokens"})

    @property
    def repairs_ids(self) -> bool:
        """Ids are looked at at all."""
        return bool(self.id_prefix) and (self.id_normalization or self.repair_on_mismatch)

    @classmethod
    def from_json(
        cls, given: Mapping[str, Any] | None = None, *, strict: bool = True
    ) -> "KimiOptions":
        """Merge a configuration over the defaults; single markers of `toolTokens` may be given.

        Not `strict`: as JavaScript reads it, unknown options ignored and values by their truth.
        """
        known = {one.metadata["json"]: one for one in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in (given or {}).items():
            if name in known:
                values[known[name].name] = (_checked if strict else _taken)(name, value)
            elif strict:
                raise OptionError(f"Kimi option {name!r} is unknown{_hint(name, known)}")
        return cls(**values)


def _checked(name: str, value: Any) -> Any:
    if name == "toolTokens":
        return _tokens(value)
    if name in ("idPrefix", "counterScope", "toolChoiceDefault"):
        if not isinstance(value, str):
            raise OptionError(f"Kimi option {name} must be a string, not {value!r}")
        allowed = {"counterScope": ("conversation",), "toolChoiceDefault": TOOL_CHOICES}.get(name)
        if allowed and value not in allowed:
            raise OptionError(f"Kimi option {name} must be one of {', '.join(allowed)}")
        return value
    if not isinstance(value, bool):
        raise OptionError(f"Kimi option {name} must be true or false, not {value!r}")
    return value


def _taken(name: str, value: Any) -> Any:
    if name == "toolTokens":
        known = value.items() if isinstance(value, Mapping) else ()
        return _tokens({marker: text for marker, text in known if marker in TOKEN_NAMES})
    if name in ("idPrefix", "counterScope", "toolChoiceDefault"):
        return value or ""
    return bool(value)


def _tokens(given: Any) -> ToolTokens:
    if not isinstance(given, Mapping):
        raise OptionError("Kimi option toolTokens must be an object of markers")
    for name in given:
        if name not in TOKEN_NAMES:
            raise OptionError(f"Kimi option toolTokens.{name} is unknown{_hint(name, TOKEN_NAMES)}")
    try:
        return ToolTokens(**{TOKEN_NAMES[name]: value for name, value in given.items()})
    except ValueError as error:
        raise OptionError(f"Kimi option {error}") from error


def _hint(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
