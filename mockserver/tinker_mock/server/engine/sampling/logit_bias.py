"""Sampling under penalties for what was generated, and under biases.

They change the distribution itself, so every token needs its whole row: exact, and several times
slower than plain sampling.
"""

from dataclasses import dataclass

import numpy as np

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.sampling.counter_rng import uniform
from tinker_mock.server.engine.sampling.generation import Generation
from tinker_mock.server.engine.sampling.requests import LogitBias, SampleRequest
from tinker_mock.server.engine.sampling.results import SampledSequence, TopK
from tinker_mock.server.engine.sampling.top_k import ROUNDING

FIRST_LOOK = 1024
"""So many tokens hold `top_p` nearly always; ordering them all takes ten times as long."""


def check_logit_bias(base: BaseModel, logit_bias: LogitBias) -> None:
    """Refuse biases of tokens that the model cannot generate."""
    size = base.frozen.tokenizer_size
    for token, _ in logit_bias.bias:
        if not 0 <= token < size:
            raise EngineError(
                "logit_bias",
                f"{token} is no token of {base.name}, which has 0 to {size - 1}",
                "Use ids of the model's own tokenizer",
            )


def added(logit_bias: LogitBias, generated: Ints) -> tuple[Ints, Floats]:
    """The tokens whose logits change after the tokens `generated`, and what each gains."""
    seen, counts = np.unique(generated[generated >= 0], return_counts=True)
    penalties = -logit_bias.presence - logit_bias.frequency * counts
    biased = np.array([token for token, _ in logit_bias.bias], dtype=np.int64)
    biases = np.array([bias for _, bias in logit_bias.bias], dtype=np.float64)
    return np.append(seen, biased), np.append(penalties, biases)


def heaviest(row: Floats, most: int) -> Ints:
    """The `most` heaviest tokens by falling weight, ties by id."""
    if most >= row.size:
        return np.argsort(-row, kind="stable")
    least = np.partition(row, row.size - most)[row.size - most]
    found = np.flatnonzero(row >= least)
    ordered: Ints = found[np.argsort(-row[found], kind="stable")][:most]
    return ordered


@dataclass(frozen=True)
class Row:
    """One token's distribution: `gaps` [tokenizer_size], log weights below the heaviest one's."""

    gaps: Floats
    weights: Floats
    log_total: float

    @staticmethod
    def of(log_weights: Floats) -> "Row":
        """Of log weights up to a constant."""
        gaps = log_weights - log_weights.max()
        weights = np.exp(gaps)
        return Row(gaps, weights, float(np.log(weights.sum())))

    def logprobs(self, tokens: Ints) -> Floats:
        """log p of some tokens."""
        found: Floats = self.gaps[tokens] - self.log_total
        return found

    def pick(self, request: SampleRequest, share: float) -> int:
        """The token at `share`, from 0 to 1, of the probability that the request leaves."""
        if request.temperature == 0:
            return int(self.gaps.argmax())
        tokens = self._ranked(request)
        weights = self.weights if tokens is None else self.weights[tokens]
        running = np.cumsum(weights)
        if tokens is not None and request.top_p < 1:
            whole = running[-1] if request.top_k > 0 else self.weights.sum()
            wanted = request.top_p * whole * (1 - ROUNDING)
            running = running[: int(np.searchsorted(running, wanted, "left")) + 1]
        place = int(np.searchsorted(running, share * running[-1], "right"))
        place = min(place, running.size - 1)
        return place if tokens is None else int(tokens[place])

    def _ranked(self, request: SampleRequest) -> Ints | None:
        """The tokens to choose among by falling weight; None where they need no order."""
        if request.top_k > 0:
            return heaviest(self.gaps, request.top_k)
        if request.top_p == 1:
            return None
        few = heaviest(self.gaps, FIRST_LOOK)
        enough = self.weights[few].sum() > request.top_p * self.weights.sum()
        return few if enough else heaviest(self.gaps, self.gaps.size)


@dataclass(frozen=True)
class BiasedSampling:
    """Samples under a logit bias. `scorer` has the request's temperature, or 1 for greedy ones."""

    scorer: Scorer
    request: SampleRequest
    logit_bias: LogitBias

    def sample(self, run: Generation) -> SampledSequence:
        """One continuation, each token's log-probability from the row it was drawn from."""
        (prompt,), k = run.prompts, self.request.topk_sample_logprobs
        before = prompt[prompt.size - self.logit_bias.generated :]
        logprobs: list[float] = []
        tops: list[Ints] = []
        top_logprobs: list[Floats] = []
        while run.active.size:
            checkpoint()
            row = self._row(run.contexts(), np.append(before, run.tokens[0, : run.length]))
            token = row.pick(self.request, float(uniform(run.seeds())[0]))
            run.advance(np.array([token]))
            logprobs.append(float(row.logprobs(np.array([token]))[0]))
            if k:
                tops.append(heaviest(row.gaps, k))
                top_logprobs.append(row.logprobs(tops[-1]))
        topk = None
        if k:
            ids, values = np.array(tops, dtype=np.int32), np.array(top_logprobs, dtype=np.float32)
            topk = TopK(ids, values)
        reason = "stop" if run.stopped[0] else "length"
        tokens = run.tokens[0, : run.length].copy()
        return SampledSequence(tokens, np.array(logprobs, dtype=np.float32), reason, topk)

    def _row(self, at: Contexts, generated: Ints) -> Row:
        row = self.scorer.row(at)[: self.scorer.frozen.tokenizer_size]
        tokens, gains = added(self.logit_bias, generated)
        np.add.at(row, tokens, gains / self.scorer.normalisers.temperature)
        return Row.of(row)
