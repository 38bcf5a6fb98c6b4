"""The losses a server knows, and their settings."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from tinker_mock.client.errors import invalid

LossFn = Literal[
    "cross_entropy",
    "importance_sampling",
    "ppo",
    "cispo",
    "dro",
    "gspo",
    "stable_reinforce",
]
LOSS_FNS: tuple[str, ...] = get_args(LossFn)

FIRST_LOSS_FNS = LOSS_FNS[:5]
"""Those that servers of every release know."""


def parse_loss_fn(text: object) -> str | None:
    """The loss's name, or `None` if no server knows it."""
    return text if isinstance(text, str) and text in LOSS_FNS else None


def check_loss_fn(loss_fn: str, allowed: tuple[str, ...] = LOSS_FNS) -> str:
    """Raise `ValidationError`, with the allowed names in its data, for an unknown loss."""
    if loss_fn not in (*allowed, "custom"):
        raise invalid(f"Invalid loss_fn: {loss_fn!r}", allowed=list(allowed))
    return loss_fn


def normal_config(
    config: Mapping[Any, Any] | None, *, text_allowed: bool = False
) -> dict[str, float | str] | None:
    """Names as strings, values as floats; numbers in strings are read.

    Raises `ValidationError` for any other value, unless `text_allowed` lets it pass as text.
    """
    if config is None:
        return None
    return {str(name): _number(str(name), value, text_allowed) for name, value in config.items()}


def _number(name: str, value: Any, text_allowed: bool) -> float | str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise invalid(f"loss_fn_config[{name!r}] must be a number, got {value!r}")
    try:
        return float(value)
    except ValueError:
        if text_allowed:
            return str(value)
        raise invalid(f"loss_fn_config[{name!r}] must be a number, got {value!r}") from None
