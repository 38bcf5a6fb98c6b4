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
from tinker_mock.server.engine.sampling.counter_rng import stream_of
from tinker_mock.server.engine.sampling.generation import Generation
from tinker_mock.server.engine.sampling.logit_bias import BiasedSampling, check_logit_bias
from tinker_mock.server.engine.sampling.prompt_scores import PromptScores
from tinker_mock.server.engine.sampling.requests import (
    SampleRequest,
    check_request,
    max_tokens_of,
    shown_temperature,
)
from tinker_mock.server.engine.sampling.results import SampledSequence, SampleResult
from tinker_mock.server.engine.sampling.scripted_run import Begin
from tinker_mock.server.engine.sampling.stops import Stops
from tinker_mock.server.engine.sampling.tables import SamplingTables


class Sampler:
    """Samples of a base model (`weights` None) or of a trained snapshot. Safe to share."""

    def __init__(self, base: BaseModel, weights: Weights | None = None) -> None:
        self.base = base
        self.weights = weights

    def tables(self, temperature: float = 1.0) -> SamplingTables:
        """The scorer of a temperature, with what drawing from it needs."""
        return self.base.scorer(self.weights, temperature).derived(SamplingTables)

    def sample(self, request: SampleRequest) -> SampleResult:
        """Everything the request asks for.

        Sampled log-probabilities are those of the distribution at the request's temperature
        (before top_k and top_p cut it); at temperature 0, where tokens are the likeliest ones,
        those at temperature 1. Prompt log-probabilities are always at temperature 1.
        """
        prompt = self._checked(request)
        scores = PromptScores(request, prompt, self.base.read([prompt]), self.tables)
        alt_tokens, alt_logprobs = scores.alternatives()
        return SampleResult(
            sequences=self._sequences(request, prompt),
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

    def sample_together(self, requests: Sequence[SampleRequest]) -> list[SampledSequence]:
        """The first sequence of each request, advanced together: the same as one by one.

        The requests share everything but prompt, seed and entropy; nothing is scored.
        """
        prompts = [self._checked(request) for request in requests]
        streams = [stream_of(r, p, 0) for r, p in zip(requests, prompts, strict=True)]
        limits = {max_tokens_of(self.base, request) for request in requests}
        if len(limits) > 1 or 0 in limits:
            raise EngineError(
                "max_tokens", "must be the same and above 0", "Sample them one by one"
            )
        begins = [request.begin for request in requests]
        return self._run(requests[0], prompts, streams, limits.pop(), begins)

    def _checked(self, request: SampleRequest) -> Ints:
        """The prompt's tokens."""
        check_request(self.base, request)
        prompt = np.asarray(request.prompt, dtype=np.int64)
        check_tokens(self.base.frozen, prompt, "prompt")
        return prompt

    def _sequences(self, request: SampleRequest, prompt: Ints) -> list[SampledSequence]:
        limit = max_tokens_of(self.base, request)
        if limit == 0:
            empty = SampledSequence(
                np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32), "length"
            )
            return [empty] * request.num_samples
        streams = [stream_of(request, prompt, i) for i in range(request.num_samples)]
        begins = [request.begin] * request.num_samples
        return self._run(request, [prompt] * request.num_samples, streams, limit, begins)

    def _run(
        self,
        request: SampleRequest,
        prompts: list[Ints],
        streams: list[np.random.Generator],
        limit: int,
        begins: list[Begin],
    ) -> list[SampledSequence]:
        tables, logit_bias = self.tables(shown_temperature(request)), request.logit_bias
        if logit_bias is not None:
            check_logit_bias(self.base, logit_bias)
        stops = Stops.of(self.base, request.stop)
        if logit_bias is not None:
            biased = BiasedSampling(tables.scorer, request, logit_bias)
            return [
                biased.sample(Generation(self.base, [prompt], [stream], stops, [begin]), limit)
                for prompt, stream, begin in zip(prompts, streams, begins, strict=True)
            ]
        run = Generation(self.base, prompts, streams, stops, begins)
        _grow(request, tables, run, limit)
        return _collected(request, tables, run, 0)

    def _parts(
        self, request: SampleRequest, prompt: Ints, index: int, cuts: list[int], stops: Stops
    ) -> Iterator[SampledSequence]:
        tables = self.tables(shown_temperature(request))
        streams = [stream_of(request, prompt, index)]
        run = Generation(self.base, [prompt], streams, stops, [request.begin])
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
    logprobs: NDArray[np.float32] = tables.scorer.score(steps, tokens).astype(np.float32)
    ends = np.cumsum(lengths)
    found = []
    for i, (end, length) in enumerate(zip(ends, lengths, strict=True)):
        span = slice(int(end - length), int(end))
        topk = None
        if request.topk_sample_logprobs > 0:
            topk = tables.top_k.logprobs(steps.take(span), request.topk_sample_logprobs)
        reason = "stop" if run.stopped[i] else "length"
        found.append(SampledSequence(tokens[span], logprobs[span], reason, topk))
    return found
