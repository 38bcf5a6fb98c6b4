"""Parameters of the optimiser, of LoRA and of sampling, with the wire's defaults."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

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
        _require(self.learning_rate > 0, "learning_rate", "positive", self.learning_rate)
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            _require(0 <= value < 1, name, "at least 0 and below 1", value)
        _require(self.eps > 0, "eps", "positive", self.eps)
        _require(self.weight_decay >= 0, "weight_decay", "at least 0", self.weight_decay)
        _require(self.grad_clip_norm >= 0, "grad_clip_norm", "at least 0", self.grad_clip_norm)


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """The adapter to train. At least one of the three parts must be trained."""

    rank: int = 32
    seed: int | None = None
    train_mlp: bool = True
    train_attn: bool = True
    train_unembed: bool = True

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
            _require(self.max_tokens > 0, "max_tokens", "positive", self.max_tokens)
        _require(self.temperature >= 0, "temperature", "at least 0", self.temperature)
        _require(0 < self.top_p <= 1, "top_p", "above 0 and at most 1", self.top_p)


def _require(holds: bool, name: str, rule: str, value: Any) -> None:
    if not holds:
        raise invalid(f"{name} must be {rule}, got {value!r}")
