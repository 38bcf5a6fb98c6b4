"""Which optimizers there are, and what they may be told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tinker_mock.server.engine.errors import EngineError

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
