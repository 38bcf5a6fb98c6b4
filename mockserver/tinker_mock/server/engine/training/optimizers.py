"""Optimizers over the adapter's entries.

AdamW as the SDK describes it (`types/optimizer.py`: learning_rate 1e-4, beta1 0.9, beta2 0.95,
eps 1e-12, weight_decay 0 decoupled, grad_clip_norm 0 for none), after Kingma & Ba 2015 and
Loshchilov & Hutter 2019. Every parameter moves at every step, also those without a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.adapter import MAX_SHIFT, SCALE, Parameters
from tinker_mock.server.engine.model.keys import Floats, Ints

ADAM_DEFAULTS = {
    "learning_rate": 1e-4,
    "beta1": 0.9,
    "beta2": 0.95,
    "eps": 1e-12,
    "weight_decay": 0.0,
    "grad_clip_norm": 0.0,
}

REFUSED = {
    "dimuon": "has no published definition, and it updates matrices, which this engine's sparse "
    "adapter does not have",
}


@dataclass
class Moments:
    """First and second moments per order, aligned to the tables' entries, and the step count."""

    first: list[Floats] = field(default_factory=lambda: [np.zeros(0)] * 3)
    second: list[Floats] = field(default_factory=lambda: [np.zeros(0)] * 3)
    step: int = 0

    @classmethod
    def zeros(cls, parameters: Parameters) -> Moments:
        sizes = [table.keys.size for table in parameters.tables.orders]
        return cls([np.zeros(s) for s in sizes], [np.zeros(s) for s in sizes], 0)

    def moved(self, to: list[Ints], parameters: Parameters) -> Moments:
        """Follow the entries to their places in grown tables."""
        grown = Moments.zeros(parameters)
        grown.step = self.step
        for order, place in enumerate(to):
            kept = place >= 0
            grown.first[order][place[kept]] = self.first[order][kept]
            grown.second[order][place[kept]] = self.second[order][kept]
        return grown


def check_optimizer(config: str | Mapping[str, Any] | None) -> str:
    """The optimizer family a model is created with; refuses those without a known definition."""
    kind = config if isinstance(config, str) else str((config or {}).get("type", "adamw"))
    if kind in ("adamw", "adam"):
        return "adamw"
    reason = REFUSED.get(kind, "is not known here")
    raise EngineError(
        "optimizer_config.type", f"optimizer {kind!r} {reason}", 'Use {"type": "adamw"}'
    )


def adam_params(params: Mapping[str, Any]) -> dict[str, float]:
    """Defaults filled in, each value checked."""
    kind = params.get("type", "adamw")
    if kind not in ("adam", "adamw"):
        raise EngineError(
            "optimizer_params.type",
            f"{kind!r} does not match the optimizer this model was created with (adamw)",
            "Send adam_params",
        )
    given = {name: params[name] for name in ADAM_DEFAULTS if params.get(name) is not None}
    merged = {**ADAM_DEFAULTS, **given}
    for name, value in merged.items():
        if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise EngineError(
                f"adam_params.{name}", f"must be a finite number >= 0, got {value!r}", "Correct it"
            )
        if name.startswith("beta") and value >= 1:
            raise EngineError(
                f"adam_params.{name}", f"must be below 1, got {value!r}", "Use a value like 0.9"
            )
    return merged


def clip(gradients: list[Floats], limit: float) -> float:
    """Scale the gradients in place to a global norm of at most `limit`; returns the norm before."""
    norm = math.sqrt(sum(float(np.square(g).sum()) for g in gradients))
    if limit > 0 and norm > limit:
        for g in gradients:
            g *= limit / norm
    return norm


def adam_step(
    parameters: Parameters, moments: Moments, gradients: list[Floats], params: Mapping[str, float]
) -> tuple[Parameters, Moments]:
    """One AdamW step."""
    b1, b2, rate = params["beta1"], params["beta2"], params["learning_rate"]
    after = Moments(step=moments.step + 1)
    fix1, fix2 = 1 - b1**after.step, 1 - b2**after.step
    values: list[Floats] = []
    for order, g in enumerate(gradients):
        first = b1 * moments.first[order] + (1 - b1) * g
        second = b2 * moments.second[order] + (1 - b2) * g * g
        spread = np.sqrt(second / fix2) + params["eps"]
        update = np.divide(first / fix1, spread, out=np.zeros_like(first), where=spread > 0)
        old = parameters.values[order]
        value = old - rate * (update + params["weight_decay"] * old)
        limit = MAX_SHIFT / SCALE[order]
        # Adapters are saved as float32: rounding at once makes a resumed run the same to the bit.
        values.append(np.clip(value, -limit, limit).astype(np.float32).astype(np.float64))
        after.first[order], after.second[order] = first, second
    stepped = Parameters(
        parameters.frozen,
        parameters.shape,
        parameters.tables,
        (values[0], values[1], values[2]),
        parameters.trained,
    )
    return stepped, after
