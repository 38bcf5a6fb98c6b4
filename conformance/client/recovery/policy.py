"""Whether, how often and from where to recover."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..answers.catalog import TrainingRun
from ..errors import Category, TinkerError


class RecoveryError(TinkerError):
    """Recovery is not possible; `data["reason"]` says why in one word."""


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """Off by default. Times are seconds.

    `checkpoint_strategy` is "latest" or ("specific", path).
    """

    enabled: bool = False
    max_attempts: int = 3
    backoff: float = 5.0
    max_backoff: float = 60.0
    poll_interval: float = 30.0
    checkpoint_strategy: Literal["latest"] | tuple[str, str] = "latest"
    restore_optimizer: bool = True

    @classmethod
    def from_options(cls, options: Mapping[str, Any] | None) -> "RecoveryPolicy":
        """From loose settings; what makes no sense falls back to its default."""
        default = cls()
        values = {}
        for name in cls.__dataclass_fields__:
            value = (options or {}).get(name, getattr(default, name))
            values[name] = value if _sensible(name, value) else getattr(default, name)
        return cls(**values)

    def delay(self, attempt: int) -> float:
        """Seconds before attempt n (1 = the first)."""
        return min(self.backoff * 2.0 ** (attempt - 1), self.max_backoff)

    def checkpoint_for(self, run: TrainingRun) -> str:
        """The path to restore from. Raises `RecoveryError`."""
        if isinstance(self.checkpoint_strategy, tuple):
            return self.checkpoint_strategy[1]
        if self.checkpoint_strategy != "latest":
            raise failed("checkpoint_strategy_not_supported")
        if run.last_checkpoint is None:
            raise failed("missing_checkpoint")
        return run.last_checkpoint.tinker_path


def failed(reason: str) -> RecoveryError:
    """A recovery error with a one-word reason."""
    return RecoveryError(
        f"recovery is not possible: {reason.replace('_', ' ')}",
        category=Category.USER,
        data={"reason": reason},
    )


def _sensible(name: str, value: Any) -> bool:
    if name in ("enabled", "restore_optimizer"):
        return isinstance(value, bool)
    if name == "checkpoint_strategy":
        specific = isinstance(value, tuple) and len(value) == 2 and value[0] == "specific"
        return value in ("latest", "best") or specific
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and value > 0
