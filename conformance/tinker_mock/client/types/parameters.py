"""Parameters of the optimiser, of LoRA and of sampling, with the wire's defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from tinker_mock.client.errors import invalid


@dataclass(frozen=True, slots=True)
class AdamParams:
    """One Adam step. `grad_clip_norm` 0 means no clipping.

    Raises `ValidationError` for a value Adam cannot work with.
    """

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-12
    weight_decay: float = 0.0
    grad_clip_norm: float = 0.0

    def __post_init__(self) -> None:
        _require(self.learning_rate >= 0, "learning_rate", "at least 0", self.learning_rate)
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            _require(0 <= value < 1, name, "at least 0 and below 1", value)
        _require(self.eps > 0, "eps", "positive", self.eps)
        _require(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)
        _require(self.grad_clip_norm >= 0, "grad_clip_norm", "at least 0", self.grad_clip_norm)


@dataclass(frozen=True, slots=True)
class DimuonParams:
    """One step of the Dimuon optimiser. `grad_clip_norm` 0 or less means no clipping."""

    learning_rate: float
    grad_clip_norm: float = 0.0
    beta1: float = 0.9
    type: Literal["dimuon"] = "dimuon"

    def __post_init__(self) -> None:
        _require(self.learning_rate >= 0, "learning_rate", "at least 0", self.learning_rate)
        _require(0 <= self.beta1 < 1, "beta1", "at least 0 and below 1", self.beta1)


@dataclass(frozen=True, slots=True)
class AdamOptimizerConfig:
    """A model that is trained with AdamW, the default."""

    type: Literal["adamw"] = "adamw"


@dataclass(frozen=True, slots=True)
class DimuonOptimizerConfig:
    """A model that is trained with Dimuon."""

    type: Literal["dimuon"] = "dimuon"
    version: int = 1


OptimParams = AdamParams | DimuonParams | Mapping[str, Any]
"""A mapping with a `type` is another optimiser's."""

OptimizerConfig = AdamOptimizerConfig | DimuonOptimizerConfig | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """The adapter to train. At least one of the three parts must be trained."""

    rank: int = field(default=32, metadata={"always": True})
    seed: int | None = field(default=None, metadata={"always": True})
    train_mlp: bool = field(default=True, metadata={"always": True})
    train_attn: bool = field(default=True, metadata={"always": True})
    train_unembed: bool = field(default=True, metadata={"always": True})

    def __post_init__(self) -> None:
        _require(self.rank > 0, "rank", "positive", self.rank)
        if not (self.train_mlp or self.train_attn or self.train_unembed):
            raise invalid("At least one of train_mlp, train_attn, or train_unembed must be true")


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to sample. `stop` None ends at the model's end token, `[]` never ends early.

    `top_k` -1 is all tokens; `temperature` 0 is greedy.
    """

    max_tokens: int | None = field(default=None, metadata={"omit_null": True})
    seed: int | None = field(default=None, metadata={"omit_null": True})
    stop: str | Sequence[str] | Sequence[int] | None = field(
        default=None, metadata={"omit_null": True}
    )
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.max_tokens is not None:
            _require(self.max_tokens >= 0, "max_tokens", "at least 0", self.max_tokens)
        _require(self.temperature >= 0, "temperature", "at least 0", self.temperature)
        _require(0 < self.top_p <= 1, "top_p", "above 0 and at most 1", self.top_p)


def check_ttl(seconds: int | None) -> None:
    """Raise `ValidationError` for a time to live that is not positive; `None` is for ever."""
    whole = isinstance(seconds, int) and not isinstance(seconds, bool)
    if seconds is not None and (not whole or seconds <= 0):
        raise invalid(f"ttl_seconds must be a positive number of seconds, got {seconds!r}")


def _require(holds: bool, name: str, rule: str, value: Any) -> None:
    if not holds:
        raise invalid(f"{name} must be {rule}, got {value!r}")
