"""Sampling under penalties for what was generated, and under biases.

They change the distribution itself, so every token needs its whole row: exact, and about ten
times slower than plain sampling.
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


def added(logit_bias: LogitBias, generated: Ints, size: int) -> Floats:
    """[size] what each token's logit gains after the tokens `generated`."""
    counts = np.bincount(generated[generated >= 0], minlength=size)[:size]
    found: Floats = -logit_bias.presence * (counts > 0) - logit_bias.frequency * counts
    for token, bias in logit_bias.bias:
        found[token] += bias
    return found


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
            token = self._pick(row, run)
            run.advance(np.array([token]))
            logprobs.append(row[token])
            if k:
                tops.append(_heaviest(row)[:k])
                top_logprobs.append(row[tops[-1]])
        topk = None
        if k:
            ids, values = np.array(tops, dtype=np.int32), np.array(top_logprobs, dtype=np.float32)
            topk = TopK(ids, values)
        reason = "stop" if run.stopped[0] else "length"
        tokens = run.tokens[0, : run.length].copy()
        return SampledSequence(tokens, np.array(logprobs, dtype=np.float32), reason, topk)

    def _row(self, at: Contexts, generated: Ints) -> Floats:
        """[tokenizer_size] log-probabilities."""
        size = self.scorer.frozen.tokenizer_size
        row = self.scorer.row(at)[:size]
        row = row + added(self.logit_bias, generated, size) / self.scorer.normalisers.temperature
        row -= row.max()
        normalised: Floats = row - np.log(np.exp(row).sum())
        return normalised

    def _pick(self, row: Floats, run: Generation) -> int:
        request = self.request
        if request.temperature == 0:
            return int(row.argmax())
        tokens = np.arange(row.size)
        if 0 < request.top_k < row.size or request.top_p < 1:
            tokens = _heaviest(row)
            tokens = tokens[: request.top_k] if request.top_k > 0 else tokens
        running = np.cumsum(np.exp(row[tokens]))
        if request.top_p < 1:
            wanted = request.top_p * running[-1] * (1 - ROUNDING)
            running = running[: int(np.searchsorted(running, wanted, "left")) + 1]
        share = uniform(run.seeds())[0] * running[-1]
        return int(tokens[min(int(np.searchsorted(running, share, "right")), running.size - 1)])


def _heaviest(row: Floats) -> Ints:
    """All tokens by falling weight, ties by id."""
    return np.argsort(-row, kind="stable")
