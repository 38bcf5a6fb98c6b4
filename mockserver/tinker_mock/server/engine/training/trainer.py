"""Training one adapter: forward, forward_backward, optim_step, snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.errors import EngineError, NonFinite
from tinker_mock.server.engine.model.adapter import Adapter, AdapterShape
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.contexts import check_tokens
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.normalisers import Normalisers
from tinker_mock.server.engine.model.plans import Questions
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.model.weights import Weights
from tinker_mock.server.engine.training.adam import clip
from tinker_mock.server.engine.training.datum import Datum, LossResult
from tinker_mock.server.engine.training.gradient import Gradient, PendingSlopes, gradient
from tinker_mock.server.engine.training.losses import LossFunction, LossTerm, evaluate
from tinker_mock.server.engine.training.losses.catalog import (
    inputs_of,
    loss_named,
    settings_for,
    targets_of,
)
from tinker_mock.server.engine.training.optimizers import (
    FAMILIES,
    Optimizer,
    check_optimizer,
    step_params,
)

OUTPUT_TYPE = "TokenLogprobs"
GRADIENT_NORM = "unclipped_grad_l2:mean"


class Trainer:
    """One LoRA adapter over a base model, with its optimizer and pending gradient.

    Not safe for concurrent calls; snapshots are immutable and may be used from anywhere.
    """

    def __init__(
        self,
        base: BaseModel,
        rank: int = 32,
        seed: int | None = None,
        train_attn: bool = True,
        train_mlp: bool = True,
        train_unembed: bool = True,
        optimizer: str | Mapping[str, Any] | None = None,
    ) -> None:
        if rank < 1:
            raise EngineError("lora_config.rank", f"must be at least 1, got {rank}", "Use 32")
        if not (train_attn or train_mlp or train_unembed):
            raise EngineError(
                "lora_config",
                "at least one of train_attn, train_mlp and train_unembed must be true",
                "Turn one on",
            )
        self.base = base
        self.shape = AdapterShape(rank, seed or 0, train_attn, train_mlp, train_unembed)
        self.kind = check_optimizer(optimizer)
        self.start(self.family(base.new_adapter(self.shape)))

    @property
    def family(self) -> type[Optimizer]:
        """The optimizer that the model was created with."""
        return FAMILIES[self.kind]

    def start(self, optimizer: Optimizer) -> None:
        """Go on from this state of training; a pending gradient is dropped."""
        self.optimizer = optimizer
        self.pending = PendingSlopes()
        normalisers = Normalisers(self.adapter.table, optimizer)
        self.scorer = Scorer(self.adapter.table, normalisers, plans=self.base.plans)
        self._snapshot: Weights | None = None

    @property
    def adapter(self) -> Adapter:
        """The parameters, as of the step that last touched each."""
        return self.optimizer.adapter

    def forward(
        self,
        data: Sequence[Datum],
        loss_fn: str | LossFunction | Mapping[str, Any] = "cross_entropy",
        config: Mapping[str, Any] | None = None,
    ) -> LossResult:
        """Log-probabilities and loss; leaves no trace."""
        return self._run(data, loss_fn, config, keep=False)

    def forward_backward(
        self,
        data: Sequence[Datum],
        loss_fn: str | LossFunction | Mapping[str, Any] = "cross_entropy",
        config: Mapping[str, Any] | None = None,
    ) -> LossResult:
        """As forward, and adds the gradient to the pending one. A refused batch adds nothing."""
        return self._run(data, loss_fn, config, keep=True)

    def _run(
        self,
        data: Sequence[Datum],
        loss_fn: str | LossFunction | Mapping[str, Any],
        config: Mapping[str, Any] | None,
        keep: bool,
    ) -> LossResult:
        loss = loss_named(loss_fn)
        settings = settings_for(loss, config)
        if not data:
            raise EngineError("data", "must hold at least one datum", "Send some data")
        checkpoint()
        targets = [targets_of(datum, i, loss) for i, datum in enumerate(data)]
        inputs = [
            inputs_of(datum, i, loss, target.shape)
            for i, (datum, target) in enumerate(zip(data, targets, strict=True))
        ]
        answers = self.scorer.answer(self._questions(data, targets))
        logprobs = _split(answers.logprobs, targets)
        terms, metrics = evaluate(loss, logprobs, inputs, settings)
        slopes = _join(terms)
        checkpoint()
        if keep:
            _check_finite(slopes, metrics["loss:sum"])
            self.pending.gather(self.scorer, answers, slopes)
        outputs = [{"logprobs": p.astype(np.float32)} for p in logprobs]
        return LossResult(outputs, metrics, OUTPUT_TYPE)

    def _check_vocabulary(self, data: Sequence[Datum], targets: Sequence[Ints]) -> None:
        flat = [target.ravel() for target in targets]
        whole = np.concatenate([*(datum.tokens for datum in data), *flat])
        if not whole.size or int(whole.max()) < self.base.vocabulary_size:
            return
        for i, (datum, target) in enumerate(zip(data, targets, strict=True)):
            check_tokens(self.base.frozen, datum.tokens, f"data[{i}].model_input")
            check_tokens(self.base.frozen, target, f"data[{i}].loss_fn_inputs.target_tokens")

    def _questions(self, data: Sequence[Datum], targets: Sequence[Ints]) -> Questions:
        """One question per target; matrix targets share their position's context."""
        name = None if self.base.scripted_answers else _name(data, targets)
        known = None if name is None else self.scorer.asked(name)
        if known is not None:
            return known
        self._check_vocabulary(data, targets)
        contexts = self.base.read([datum.tokens for datum in data])
        owner = None
        if any(target.ndim == 2 for target in targets):
            width = [np.full(t.shape[0], t.shape[1] if t.ndim == 2 else 1) for t in targets]
            owner = np.repeat(np.arange(contexts.size), np.concatenate(width))
        tokens = np.concatenate([target.ravel() for target in targets])
        return Questions(contexts, tokens, owner, name)

    def optim_step(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Apply the pending gradient; returns its norm before clipping as a metric."""
        checked = step_params(self.kind, params)
        found = self.gradient()
        slopes, norm = clip(found.slopes, checked["grad_clip_norm"])
        self.optimizer.apply(replace(found, slopes=slopes), checked)
        self.pending, self._snapshot = PendingSlopes(), None
        return {GRADIENT_NORM: norm}

    def gradient(self) -> Gradient:
        """The pending gradient."""
        if not self.pending:
            return Gradient.nothing()
        self.pending.admitted(self.adapter, self.scorer)
        return gradient(self.adapter, self.scorer, self.pending)

    def snapshot(self) -> Weights:
        """The weights as they are now; later steps do not change them."""
        if self._snapshot is None:
            self._snapshot = self.base.snapshot(self.adapter.snapshot(self.values()))
        return self._snapshot

    def values(self) -> Floats:
        """[entries] every parameter as it is now, 0 for entries that are none."""
        found = np.zeros(self.adapter.table.entries.size)
        trained = self.optimizer.trained_among(np.arange(found.size))
        found[trained] = self.optimizer.values_of(trained)
        return found


def _name(data: Sequence[Datum], targets: Sequence[Ints]) -> bytes:
    """The same for batches of the same tokens and targets."""
    shapes = repr([target.shape for target in targets]).encode()
    arrays = [*(datum.tokens for datum in data), *targets]
    return b"".join([shapes, *(array.tobytes() for array in arrays)])


def _split(flat: Floats, targets: Sequence[Ints]) -> list[Floats]:
    ends = np.cumsum([target.size for target in targets])
    parts = np.split(flat, ends[:-1])
    return [part.reshape(t.shape) for part, t in zip(parts, targets, strict=True)]


def _join(terms: Sequence[LossTerm]) -> Floats:
    return np.concatenate([term.slopes.ravel() for term in terms])


def _check_finite(slopes: Floats, loss: float) -> None:
    if not (np.all(np.isfinite(slopes)) and np.isfinite(loss)):
        raise NonFinite(
            "data", "the loss or its gradient is not finite", "Check weights and advantages"
        )
