"""Sampling from, and scoring prompts under, one immutable set of weights."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.contexts import Contexts, check_tokens
from tinker_mock.server.engine.model.keys import Ints
from tinker_mock.server.engine.model.weights import Weights
from tinker_mock.server.engine.sampling.counter_rng import seed_of
from tinker_mock.server.engine.sampling.generation import Generation
from tinker_mock.server.engine.sampling.logit_bias import BiasedSampling, check_logit_bias
from tinker_mock.server.engine.sampling.prompt_scores import PromptScores
from tinker_mock.server.engine.sampling.requests import (
    SampleRequest,
    alike,
    check_request,
    max_tokens_of,
    shown_temperature,
)
from tinker_mock.server.engine.sampling.results import SampledSequence, SampleResult
from tinker_mock.server.engine.sampling.stops import Stops
from tinker_mock.server.engine.sampling.tables import SamplingTables

AT_ONCE = 8192
"""Tokens that are scored in one go."""
EMPTY = SampledSequence(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32), "length")


class Sampler:
    """Samples of a base model (`weights` None) or of a trained snapshot. Safe to share."""

    def __init__(self, base: BaseModel, weights: Weights | None = None) -> None:
        self.base = base
        self.weights = weights

    def tables(self, temperature: float = 1.0) -> SamplingTables:
        """The scorer of a temperature, with what drawing from it needs."""
        return self.base.parameters(self.weights).derived(temperature, SamplingTables)

    def sample(self, request: SampleRequest) -> SampleResult:
        """Everything the request asks for.

        Sampled log-probabilities are those of the distribution at the request's temperature
        (before top_k and top_p cut it); at temperature 0, where tokens are the likeliest ones,
        those at temperature 1. Prompt log-probabilities are always at temperature 1.
        """
        return self.sample_together([request])[0]

    def sample_together(self, requests: Sequence[SampleRequest]) -> list[SampleResult]:
        """The answers to requests that are `alike`, advanced together: the same as one by one."""
        prompts = [self._checked(request) for request in requests]
        if len({alike(request) for request in requests}) > 1:
            raise EngineError("requests", "must be alike", "Sample them one by one")
        sequences = self._sequences(requests, prompts)
        return [
            self._result(request, prompt, [next(sequences) for _ in range(request.num_samples)])
            for request, prompt in zip(requests, prompts, strict=True)
        ]

    def _result(
        self, request: SampleRequest, prompt: Ints, sequences: list[SampledSequence]
    ) -> SampleResult:
        scores = PromptScores(request, prompt, self.base, self.tables)
        alt_tokens, alt_logprobs = scores.alternatives()
        return SampleResult(
            sequences=sequences,
            prompt_logprobs=scores.logprobs(),
            topk_prompt_logprobs=scores.top_k(),
            target_prompt_logprobs=scores.targets(),
            prompt_alt_tokens=alt_tokens,
            prompt_alt_logprobs=alt_logprobs,
        )

    def stream(self, request: SampleRequest) -> Iterator[tuple[int, float]]:
        """(token, logprob) of the first sequence, one by one."""
        for part in self.slices(request, 0, 1, 1):
            yield from zip(part.tokens.tolist(), part.logprobs.tolist(), strict=True)

    def slices(
        self, request: SampleRequest, index: int, first: int, size: int
    ) -> Iterator[SampledSequence]:
        """Sample number `index` of `sample`, in parts that are drawn when they are asked for.

        The parts have `first`, then `size` tokens. A part's `stop_reason` is that of the sample
        if it were cut there; the last one's counts. Raises EngineError at once.
        """
        prompt = self._checked(request)
        if request.logit_bias is not None:
            raise EngineError("logit_bias", "cannot be sampled in slices", "Use sample")
        limit = max_tokens_of(self.base, request)
        cuts = [min(cut, limit) for cut in range(first, limit + size, size)]
        return self._parts(request, prompt, index, cuts, Stops.of(self.base, request.stop))

    def _checked(self, request: SampleRequest) -> Ints:
        """The prompt's tokens."""
        check_request(self.base, request)
        prompt = np.asarray(request.prompt, dtype=np.int64)
        check_tokens(self.base.frozen, prompt, "prompt")
        return prompt

    def _sequences(
        self, requests: Sequence[SampleRequest], prompts: Sequence[Ints]
    ) -> Iterator[SampledSequence]:
        """All sequences of all requests, in order."""
        first = requests[0]
        tables, logit_bias = self.tables(shown_temperature(first)), first.logit_bias
        stops = Stops.of(self.base, first.stop)
        rows = [
            (
                prompt,
                seed_of(request, prompt, index),
                max_tokens_of(self.base, request),
                request.begin,
            )
            for request, prompt in zip(requests, prompts, strict=True)
            for index in range(request.num_samples)
        ]
        if max(limit for _, _, limit, _ in rows) == 0:
            yield from [EMPTY] * len(rows)
            return
        if logit_bias is not None:
            check_logit_bias(self.base, logit_bias)
            biased = BiasedSampling(tables.scorer, first, logit_bias)
            for prompt, seed, limit, begin in rows:
                run = Generation(self.base, [prompt], [seed], [limit], stops, [begin])
                yield biased.sample(run)
            return
        run_prompts, seeds, limits, begins = (list(part) for part in zip(*rows, strict=True))
        run = Generation(self.base, run_prompts, seeds, limits, stops, begins)
        _grow(first, tables, run, int(run.limits.max()))
        yield from _collected(first, tables, run, 0)

    def _parts(
        self, request: SampleRequest, prompt: Ints, index: int, cuts: list[int], stops: Stops
    ) -> Iterator[SampledSequence]:
        tables = self.tables(shown_temperature(request))
        seed = seed_of(request, prompt, index)
        run = Generation(self.base, [prompt], [seed], [cuts[-1]], stops, [request.begin])
        for cut in cuts:
            begin = run.length
            _grow(request, tables, run, cut)
            if run.length == begin:
                return
            yield from _collected(request, tables, run, begin)


def _grow(request: SampleRequest, tables: SamplingTables, run: Generation, limit: int) -> None:
    while run.active.size and run.length < limit:
        checkpoint()
        run.advance(_next(request, tables, run.contexts(), run))


def _next(request: SampleRequest, tables: SamplingTables, at: Contexts, run: Generation) -> Ints:
    """The next token of every running sequence."""
    if request.temperature == 0:
        return tables.top_k.likeliest(at)
    seeds = run.seeds()
    if 0 < request.top_k < tables.scorer.frozen.tokenizer_size:
        return tables.top_k.draw(at, seeds, request.top_k, request.top_p)
    if request.top_p < 1.0:
        return tables.top_p.draw(at, seeds, request.top_p)
    return tables.drawer.draw(at, seeds)


def _collected(
    request: SampleRequest, tables: SamplingTables, run: Generation, begin: int
) -> list[SampledSequence]:
    """Every sequence's tokens after its first `begin` ones, scored."""
    tokens, lengths, steps = run.result(begin)
    logprobs = _scores(tables, tokens, steps)
    ends = np.cumsum(lengths)
    found = []
    for i, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        checkpoint()
        span = slice(int(end - length), int(end))
        topk = None
        if request.topk_sample_logprobs > 0:
            topk = tables.top_k.logprobs(steps.take(span), request.topk_sample_logprobs)
        reason = "stop" if run.stopped[i] else "length"
        found.append(SampledSequence(tokens[span], logprobs[span], reason, topk))
    return found


def _scores(tables: SamplingTables, tokens: Ints, steps: Contexts) -> NDArray[np.float32]:
    """The log-probability of every token, some at a time."""
    scores = np.empty(tokens.size, dtype=np.float32)
    for start in range(0, tokens.size, AT_ONCE):
        checkpoint()
        part = slice(start, start + AT_ONCE)
        scores[part] = tables.scorer.score(steps.take(part), tokens[part])
    return scores
