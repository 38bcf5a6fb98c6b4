"""What a custom loss came to, part by part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RegularizerOutput:
    """One penalty: its value, and what it adds to the loss."""

    name: str
    value: float
    weight: float
    custom: Mapping[str, Any] = field(default_factory=dict)
    grad_norm: float | None = None

    @property
    def contribution(self) -> float:
        return self.value * self.weight

    @property
    def grad_norm_weighted(self) -> float | None:
        return None if self.grad_norm is None else self.grad_norm * self.weight

    def to_json(self) -> dict[str, Any]:
        """Gradient norms are left out when they were not tracked."""
        body = {
            "name": self.name,
            "value": self.value,
            "weight": self.weight,
            "contribution": self.contribution,
            "custom": dict(self.custom),
        }
        if self.grad_norm is not None:
            body |= {"grad_norm": self.grad_norm, "grad_norm_weighted": self.grad_norm_weighted}
        return body


@dataclass(frozen=True, slots=True)
class CustomLossOutput:
    """The base loss, the penalties, and their sum."""

    base_value: float
    base_metrics: Mapping[str, Any] = field(default_factory=dict)
    regularizers: Sequence[RegularizerOutput] = ()
    base_grad_norm: float | None = None
    total_grad_norm: float | None = None

    @property
    def regularizer_total(self) -> float:
        return sum(part.contribution for part in self.regularizers)

    @property
    def loss_total(self) -> float:
        return self.base_value + self.regularizer_total

    def to_json(self) -> dict[str, Any]:
        base: dict[str, Any] = {"value": self.base_value, "custom": dict(self.base_metrics)}
        if self.base_grad_norm is not None:
            base["grad_norm"] = self.base_grad_norm
        body: dict[str, Any] = {
            "loss_total": self.loss_total,
            "base_loss": base,
            "regularizers": {part.name: part.to_json() for part in self.regularizers},
            "regularizer_total": self.regularizer_total,
        }
        if self.total_grad_norm is not None:
            body["total_grad_norm"] = self.total_grad_norm
        return body

    def metrics(self) -> dict[str, float]:
        """Flat numbers for a training log."""
        flat = {name: value for name, value in self.base_metrics.items() if _is_number(value)}
        flat |= {"loss_total": self.loss_total, "regularizer_total": self.regularizer_total}
        for part in self.regularizers:
            flat[f"regularizer/{part.name}"] = part.contribution
            if part.grad_norm is not None:
                flat[f"regularizer/{part.name}/grad_norm"] = part.grad_norm
        if self.total_grad_norm is not None:
            flat["total_grad_norm"] = self.total_grad_norm
        return flat


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
