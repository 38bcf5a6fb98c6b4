"""Which optimizers there are, and what they may be told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.training.adam import Adam
from tinker_mock.server.engine.training.dimuon import Dimuon

Optimizer = Adam | Dimuon
FAMILIES: dict[str, type[Adam] | type[Dimuon]] = {"adamw": Adam, "dimuon": Dimuon}

ADAM_DEFAULTS = {
    "learning_rate": 1e-4,
    "beta1": 0.9,
    "beta2": 0.95,
    "eps": 1e-12,
    "weight_decay": 0.0,
    "grad_clip_norm": 0.0,
}
DIMUON_DEFAULTS = {
    "grad_clip_norm": 0.0,
    "beta1": 0.9,
    "damping": 1e-4,
    "rank_lr_correction_exponent": 0.175,
}


def check_optimizer(config: str | Mapping[str, Any] | None) -> str:
    """The optimizer family a model is created with; raises EngineError for an unknown one."""
    told: Mapping[str, Any] = {"type": config} if isinstance(config, str) else config or {}
    kind = str(told.get("type", "adamw"))
    kind = "adamw" if kind == "adam" else kind
    if kind not in FAMILIES:
        raise EngineError(
            "optimizer_config.type",
            f"optimizer {kind!r} is not known here",
            f"Use one of {', '.join(FAMILIES)}",
        )
    if told.get("version", 1) != 1:
        wrong = f"version {told['version']!r} of {kind} is not known here"
        raise EngineError("optimizer_config.version", wrong, "Use 1")
    return kind


def step_params(kind: str, params: Mapping[str, Any]) -> dict[str, float]:
    """A step's settings for a model's optimizer, defaults filled in, each value checked.

    Settings that are left out have their defaults again at each step.
    """
    told = params.get("type", "adamw")
    if {"adam": "adamw"}.get(told, told) != kind:
        raise EngineError(
            "optimizer_params.type",
            f"{told!r} does not match the optimizer this model was created with ({kind})",
            "Send adam_params" if kind == "adamw" else f'Send optimizer_params of type "{kind}"',
        )
    return adam_params(params) if kind == "adamw" else dimuon_params(params)


def adam_params(params: Mapping[str, Any]) -> dict[str, float]:
    """Settings of AdamW."""
    given = {name: params[name] for name in ADAM_DEFAULTS if params.get(name) is not None}
    merged = {**ADAM_DEFAULTS, **given}
    for name, value in merged.items():
        if not _finite(value) or value < 0:
            raise EngineError(
                f"adam_params.{name}", f"must be a finite number >= 0, got {value!r}", "Correct it"
            )
        if name.startswith("beta") and value >= 1:
            raise _wrong_beta(f"adam_params.{name}", value)
    return merged


def dimuon_params(params: Mapping[str, Any]) -> dict[str, float]:
    """Settings of Dimuon; the learning rate has no default."""
    merged = {**DIMUON_DEFAULTS, **{k: v for k, v in params.items() if k != "type"}}
    for name, value in merged.items():
        field = f"optimizer_params.{name}"
        if name not in DIMUON_DEFAULTS and name != "learning_rate":
            known = ", ".join(("learning_rate", *DIMUON_DEFAULTS))
            raise EngineError(field, "dimuon does not take it", f"It takes: {known}")
        if not _finite(value):
            raise EngineError(field, f"must be a finite number, got {value!r}", "Correct it")
    if merged.get("learning_rate", -1.0) < 0:
        wrong = f"must be given and >= 0, got {merged.get('learning_rate')!r}"
        raise EngineError("optimizer_params.learning_rate", wrong, "Send one")
    if not 0 <= merged["beta1"] < 1:
        raise _wrong_beta("optimizer_params.beta1", merged["beta1"])
    if merged["damping"] <= 0:
        wrong = f"must be above 0, got {merged['damping']!r}"
        raise EngineError("optimizer_params.damping", wrong, "Use a value like 1e-4")
    return merged


def _finite(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)  # type: ignore[arg-type]


def _wrong_beta(field: str, value: float) -> EngineError:
    return EngineError(field, f"must be below 1, got {value!r}", "Use a value like 0.9")
