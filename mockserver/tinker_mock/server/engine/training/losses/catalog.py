"""All losses by name, and how a batch is checked and summed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.errors import EngineError, NonFinite
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.training.custom_loss import CustomLoss, compile_loss
from tinker_mock.server.engine.training.datum import Datum
from tinker_mock.server.engine.training.loss_function import LossFunction, LossTerm, as_floats
from tinker_mock.server.engine.training.losses.cross_entropy import CrossEntropy
from tinker_mock.server.engine.training.losses.policy import Cispo, Dro, ImportanceSampling, Ppo
from tinker_mock.server.engine.training.losses.sequence import Gspo, StableReinforce

LOSSES: dict[str, LossFunction] = {
    loss.name: loss
    for loss in (
        CrossEntropy(),
        ImportanceSampling(),
        Ppo(),
        Cispo(),
        Dro(),
        Gspo(),
        StableReinforce(),
    )
}

EXACT = frozenset({"importance_sampling", "ppo", "cispo", "dro", "gspo"})
"""Losses that refuse inputs they do not take (tinker-docs, "Loss Functions"). cross_entropy ignores
them: SDKs before 0.16 send it the inputs of a custom loss. Nothing says what stable_reinforce
does with them."""


def loss_named(name: str | LossFunction | Mapping[str, Any]) -> LossFunction:
    """The built-in loss of that name, or a custom loss (rebuilt if given as its request)."""
    if isinstance(name, Mapping):
        return compile_loss(name)
    if not isinstance(name, str):
        return name
    if name not in LOSSES:
        raise EngineError("loss_fn", f"unknown loss {name!r}", f"Use one of {', '.join(LOSSES)}")
    return LOSSES[name]


def settings_for(loss: LossFunction, config: Mapping[str, Any] | None) -> dict[str, float]:
    """The loss's defaults overridden by the request; unknown names and text are refused."""
    merged = dict(loss.settings)
    for name, value in (config or {}).items():
        if name == "loss_id" and isinstance(loss, CustomLoss):
            continue
        field = f"loss_fn_config.{name}"
        if name not in merged:
            known = ", ".join(merged) or "none"
            raise EngineError(field, f"{loss.name} does not take it", f"It takes: {known}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise EngineError(field, f"must be a finite number, got {value!r}", "Send a number")
        merged[name] = float(value)
    low, high = merged.get("clip_low_threshold", 0.0), merged.get("clip_high_threshold", np.inf)
    if low > high:
        raise EngineError(
            "loss_fn_config.clip_low_threshold",
            f"must not exceed clip_high_threshold, got {low} > {high}",
            "Both bound the probability ratio, for example 0.8 and 1.2",
        )
    return merged


def targets_of(datum: Datum, index: int, loss: LossFunction) -> Ints:
    """The datum's targets [N] or [N, K], checked against its tokens."""
    field = f"data[{index}].loss_fn_inputs.target_tokens"
    if "target_tokens" not in datum.inputs:
        raise EngineError(
            field, f"{loss.name} needs it and it is missing", "Add the next token of each position"
        )
    targets = np.asarray(datum.inputs["target_tokens"])
    if targets.dtype.kind not in "iu":
        raise EngineError(field, f"must be int64, got {targets.dtype}", "Send integer token ids")
    allowed = (1, 2) if loss.matrix_targets else (1,)
    if targets.ndim not in allowed:
        shapes = "[N] or [N, K]" if loss.matrix_targets else "[N]"
        raise EngineError(
            field, f"{loss.name} takes shape {shapes}, got {list(targets.shape)}", "Reshape it"
        )
    if targets.shape[0] != datum.tokens.size:
        raise EngineError(
            field,
            f"has {targets.shape[0]} positions but model_input has {datum.tokens.size}",
            "Give one target per input token (shift the sequence by one)",
        )
    if targets.size and int(targets.min()) < 0:
        raise EngineError(field, f"token id {int(targets.min())} is negative", "Use 0 and weight 0")
    return targets.astype(np.int64)


def inputs_of(
    datum: Datum, index: int, loss: LossFunction, shape: tuple[int, ...]
) -> dict[str, Floats]:
    """The datum's float inputs, defaults filled in, names, shapes and finiteness checked."""
    found: dict[str, Floats] = {}
    if loss.name in EXACT and LOSSES[loss.name] is loss:
        _check_names(datum, index, loss)
    for rule in loss.rules:
        field = f"data[{index}].loss_fn_inputs.{rule.name}"
        value = datum.inputs.get(rule.name)
        if value is None:
            if rule.default is not None:
                found[rule.name] = np.full(shape, rule.default)
            elif not rule.optional:
                raise EngineError(
                    field,
                    f"{loss.name} needs it and it is missing",
                    f"Add a float32 tensor of shape {list(shape)}",
                )
            continue
        array = as_floats(value)
        if rule.rank is not None and array.ndim != rule.rank:
            raise EngineError(
                field,
                f"has rank {array.ndim} but {loss.name} declared rank {rule.rank}",
                "Send a tensor of the declared rank",
            )
        if rule.rank is None and array.shape != shape:
            raise EngineError(
                field,
                f"has shape {list(array.shape)} but target_tokens has {list(shape)}",
                "Give one value per target",
            )
        if not np.all(np.isfinite(array)):
            raise NonFinite(field, "holds a value that is not finite", "Replace NaN and inf")
        found[rule.name] = array
    return found


def _check_names(datum: Datum, index: int, loss: LossFunction) -> None:
    taken = ("target_tokens", *(rule.name for rule in loss.rules))
    for name in datum.inputs:
        if name not in taken:
            mask = "; advantage 0 masks a position" if name in ("weights", "mask") else ""
            raise EngineError(
                f"data[{index}].loss_fn_inputs.{name}",
                f"{loss.name} does not take it; it takes {', '.join(taken)}",
                f"Leave it out{mask}",
            )


def evaluate(
    loss: LossFunction,
    logprobs: Sequence[Floats],
    inputs: Sequence[Mapping[str, Floats]],
    settings: Mapping[str, float],
) -> tuple[list[LossTerm], dict[str, float]]:
    """Every datum's term and the batch's metrics; `loss:sum` is always among them."""
    terms = []
    for own, given in zip(logprobs, inputs, strict=True):
        checkpoint()
        terms.append(loss.term(own, given, settings))
    metrics = {"loss:sum": float(sum(term.value for term in terms))}
    for key in sorted({key for term in terms for key in term.metrics}):
        values = [term.metrics[key] for term in terms if key in term.metrics]
        metrics[key] = _REDUCTIONS[key.rpartition(":")[2]](values)
    return terms, metrics


_REDUCTIONS = {
    "sum": lambda values: float(sum(values)),
    "mean": lambda values: float(sum(values) / len(values)),
    "min": lambda values: float(min(values)),
    "max": lambda values: float(max(values)),
}
