"""Logit offsets while sampling: penalties for what was said, and biases.

They change the distribution itself, so every token needs its whole row: exact, and about ten
times slower than plain sampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.datum import Offsets, SampledSequence, SampleRequest, TopK
from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.sampling.counter_rng import uniform
from tinker_mock.server.engine.sampling.generation import Generation
from tinker_mock.server.engine.sampling.stops import Stops


def check_offsets(base: BaseModel, offsets: Offsets) -> None:
    """Refuse biases of tokens that the model cannot say."""
    for token, _ in offsets.bias:
        if not 0 <= token < base.tokenizer_size:
            raise EngineError(
                "logit_bias",
                f"{token} is no token of {base.name}, which has 0 to {base.tokenizer_size - 1}",
                "Use ids of the model's own tokenizer",
            )


def added(offsets: Offsets, said: Ints, size: int) -> Floats:
    """[size] what each token's logit gains after the tokens `said`."""
    counts = np.bincount(said[said >= 0], minlength=size)[:size]
    found: Floats = -offsets.presence * (counts > 0) - offsets.frequency * counts
    for token, bias in offsets.bias:
        found[token] += bias
    return found


@dataclass(frozen=True)
class OffsetSampling:
    """Samples under offsets. `scorer` has the request's temperature, or 1 for greedy ones."""

    scorer: Scorer
    request: SampleRequest
    offsets: Offsets

    def sample(self, prompt: Ints, stream: np.random.Generator, limit: int) -> SampledSequence:
        """One continuation, each token's log-probability from the row it was drawn from."""
        base, k = self.scorer.base, self.request.topk_sample_logprobs
        run, stops = Generation(base, [prompt]), Stops.of(base, self.request.stop)
        before = prompt[prompt.size - self.offsets.said :]
        logprobs: list[float] = []
        tops: list[Ints] = []
        top_logprobs: list[Floats] = []
        while run.active.size and run.length < limit:
            row = self._row(run.contexts(), np.append(before, run.tokens[0, : run.length]))
            token = self._pick(row, run, stream)
            run.advance(np.array([token]), stops)
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

    def _row(self, at: Contexts, said: Ints) -> Floats:
        """[tokenizer_size] log-probabilities."""
        size = self.scorer.base.tokenizer_size
        here = at.take(np.zeros(size, dtype=np.int64))
        row = self.scorer.lifted_log_weights(here, np.arange(size))
        row = row + added(self.offsets, said, size) / self.scorer.masses.temperature
        row -= row.max()
        normalised: Floats = row - np.log(np.exp(row).sum())
        return normalised

    def _pick(self, row: Floats, run: Generation, stream: np.random.Generator) -> int:
        request = self.request
        if request.temperature == 0:
            return int(row.argmax())
        tokens = np.arange(row.size)
        if 0 < request.top_k < row.size or request.top_p < 1:
            tokens = _heaviest(row)
            tokens = tokens[: request.top_k] if request.top_k > 0 else tokens
        running = np.cumsum(np.exp(row[tokens]))
        if request.top_p < 1:
            wanted = request.top_p * running[-1] * (1 - 1e-12)
            running = running[: int(np.searchsorted(running, wanted, "left")) + 1]
        share = uniform(run.seeds([stream]))[0] * running[-1]
        return int(tokens[min(int(np.searchsorted(running, share, "right")), running.size - 1)])


def _heaviest(row: Floats) -> Ints:
    """All tokens by falling weight, ties by id."""
    return np.argsort(-row, kind="stable")
