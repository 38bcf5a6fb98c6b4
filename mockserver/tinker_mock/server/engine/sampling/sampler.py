"""Sampling from, and scoring prompts under, one immutable set of weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.datum import SampledSequence, SampleRequest, SampleResult, TopK
from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.contexts import Contexts, check_tokens
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.score import Scorer, read
from tinker_mock.server.engine.model.weights import Weights
from tinker_mock.server.engine.sampling.counter_rng import Seeds, uniform
from tinker_mock.server.engine.sampling.generation import Generation
from tinker_mock.server.engine.sampling.logit_bias import OffsetSampling, check_offsets
from tinker_mock.server.engine.sampling.requests import check_request, max_tokens_of
from tinker_mock.server.engine.sampling.stops import Stops
from tinker_mock.server.engine.sampling.top_k import Heads
from tinker_mock.server.engine.sampling.top_p import draw_nucleus

EMPTY_LOGPROB = -99999.0
GREEDY_SHOWN_AT = 1.0


class Sampler:
    """Samples of a base model (`weights` None) or of a trained snapshot. Safe to share."""

    def __init__(self, base: BaseModel, weights: Weights | None = None) -> None:
        self.base = base
        self.weights = weights

    def sample(self, request: SampleRequest) -> SampleResult:
        """Everything the request asks for.

        Sampled log-probabilities are those of the distribution at the request's temperature
        (before top_k and top_p cut it); at temperature 0, where tokens are the likeliest ones,
        those at temperature 1. Prompt log-probabilities are always at temperature 1.
        """
        check_request(self.base, request)
        prompt = np.asarray(request.prompt, dtype=np.int64)
        check_tokens(self.base, prompt, "prompt")
        contexts = read(self.base, [prompt])
        alt_tokens, alt_logprobs = self._alternatives(request, contexts)
        return SampleResult(
            sequences=self._sequences(request, prompt, contexts),
            prompt_logprobs=self._prompt_logprobs(request, prompt, contexts),
            topk_prompt_logprobs=self._topk_prompt(request, contexts),
            target_prompt_logprobs=self._targets(request, contexts),
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
        check_request(self.base, request)
        prompt = np.asarray(request.prompt, dtype=np.int64)
        check_tokens(self.base, prompt, "prompt")
        if request.offsets is not None:
            raise EngineError("offsets", "cannot be sampled in slices", "Use sample")
        limit = max_tokens_of(self.base, request)
        cuts = [min(cut, limit) for cut in range(first, limit + size, size)]
        return self._parts(request, prompt, index, cuts, Stops.of(self.base, request.stop))

    def _parts(
        self, request: SampleRequest, prompt: Ints, index: int, cuts: list[int], stops: Stops
    ) -> Iterator[SampledSequence]:
        scorer = self._scorer(request.temperature or GREEDY_SHOWN_AT)
        run, streams = Generation(self.base, [prompt]), [generator(request, prompt, index)]
        for cut in cuts:
            begin = run.length
            self._grow(request, scorer, run, stops, streams, cut)
            if run.length == begin:
                return
            tokens, lengths, steps = run.result(begin)
            flat = scorer.score(steps, tokens).astype(np.float32)
            yield from self._collect(request, run, tokens, lengths, flat, steps, scorer)

    def _scorer(self, temperature: float) -> Scorer:
        if self.weights is not None:
            return self.weights.scorer(temperature)
        return self.base.bare.scorer(temperature)

    def _sequences(
        self, request: SampleRequest, prompt: Ints, contexts: Contexts
    ) -> list[SampledSequence]:
        limit = max_tokens_of(self.base, request)
        if limit == 0 or request.num_samples == 0:
            empty = SampledSequence(
                np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32), "length"
            )
            return [empty] * request.num_samples
        streams = [generator(request, prompt, i) for i in range(request.num_samples)]
        return self._run(request, [prompt] * request.num_samples, streams, limit)

    def sample_together(self, requests: Sequence[SampleRequest]) -> list[SampledSequence]:
        """The first sequence of each request, advanced together: the same as one by one.

        The requests share everything but prompt, seed and entropy; nothing is scored.
        """
        first = requests[0]
        prompts = [np.asarray(request.prompt, dtype=np.int64) for request in requests]
        for request, prompt in zip(requests, prompts, strict=True):
            check_request(self.base, request)
            check_tokens(self.base, prompt, "prompt")
        streams = [generator(r, p, 0) for r, p in zip(requests, prompts, strict=True)]
        limits = {max_tokens_of(self.base, request) for request in requests}
        if len(limits) > 1 or 0 in limits:
            raise EngineError(
                "max_tokens", "must be the same and above 0", "Sample them one by one"
            )
        return self._run(first, prompts, streams, limits.pop())

    def _run(
        self,
        request: SampleRequest,
        prompts: list[Ints],
        streams: list[np.random.Generator],
        limit: int,
    ) -> list[SampledSequence]:
        scorer = self._scorer(request.temperature or GREEDY_SHOWN_AT)
        if request.offsets is not None:
            check_offsets(self.base, request.offsets)
            drawn = OffsetSampling(scorer, request, request.offsets)
            pairs = zip(prompts, streams, strict=True)
            return [drawn.sample(prompt, stream, limit) for prompt, stream in pairs]
        run = Generation(self.base, prompts)
        stops = Stops.of(self.base, request.stop)
        self._grow(request, scorer, run, stops, streams, limit)
        tokens, lengths, steps = run.result()
        flat = scorer.score(steps, tokens).astype(np.float32)
        return self._collect(request, run, tokens, lengths, flat, steps, scorer)

    def _grow(
        self,
        request: SampleRequest,
        scorer: Scorer,
        run: Generation,
        stops: Stops,
        streams: list[np.random.Generator],
        limit: int,
    ) -> None:
        while run.active.size and run.length < limit:
            at = run.contexts()
            run.advance(self._next(request, scorer, at, streams, run), stops)

    def _collect(
        self,
        request: SampleRequest,
        run: Generation,
        tokens: Ints,
        lengths: Ints,
        logprobs: NDArray[np.float32],
        steps: Contexts,
        scorer: Scorer,
    ) -> list[SampledSequence]:
        ends = np.cumsum(lengths)
        found = []
        for i, (end, length) in enumerate(zip(ends, lengths, strict=True)):
            span = slice(int(end - length), int(end))
            topk = None
            if request.topk_sample_logprobs > 0:
                topk = _topk(scorer.heads, steps.take(span), request.topk_sample_logprobs)
            reason = "stop" if run.stopped[i] else "length"
            found.append(SampledSequence(tokens[span], logprobs[span], reason, topk))
        return found

    def _next(
        self,
        request: SampleRequest,
        scorer: Scorer,
        at: Contexts,
        streams: list[np.random.Generator],
        run: Generation,
    ) -> Ints:
        if request.temperature == 0:
            heads = (scorer.heads.top(at.take(slice(i, i + 1)), 1) for i in range(at.size))
            return np.array([head.tokens[0] for head in heads], dtype=np.int64)
        seeds = run.seeds(streams)
        if 0 < request.top_k < self.base.tokenizer_size:
            return _from_heads(scorer, at, seeds, request.top_k, request.top_p)
        if request.top_p < 1.0:
            return draw_nucleus(scorer, at, seeds, request.top_p)
        return scorer.drawer.draw(at, seeds)

    def _prompt_logprobs(
        self, request: SampleRequest, prompt: Ints, contexts: Contexts
    ) -> NDArray[np.float32] | None:
        if not request.prompt_logprobs:
            return None
        found = np.full(prompt.size, np.nan, dtype=np.float32)
        begin = 1
        if request.prompt_logprobs_last_n is not None:
            begin = prompt.size - request.prompt_logprobs_last_n
        places = np.arange(begin, prompt.size)
        places = places[prompt[places] >= 0]
        before = contexts.take(places - 1)
        found[places] = self._scorer(1.0).score(before, prompt[places])
        return found

    def _topk_prompt(self, request: SampleRequest, contexts: Contexts) -> TopK | None:
        k = request.topk_prompt_logprobs
        if k <= 0:
            return None
        begin = 1
        if request.prompt_logprobs_last_n is not None:
            begin = contexts.size - request.prompt_logprobs_last_n
        ids = np.zeros((contexts.size, k), dtype=np.int32)
        logprobs = np.full((contexts.size, k), EMPTY_LOGPROB, dtype=np.float32)
        rows = _topk(self._scorer(1.0).heads, contexts.take(slice(begin - 1, -1)), k)
        ids[begin:], logprobs[begin:] = rows.token_ids, rows.logprobs
        return TopK(ids, logprobs)

    def _targets(self, request: SampleRequest, contexts: Contexts) -> NDArray[np.float32] | None:
        wanted = request.target_prompt_logprobs
        if wanted is None:
            return None
        found = np.zeros(wanted.shape, dtype=np.float32)
        rows, columns = np.nonzero(wanted >= 0)
        tokens = wanted[rows, columns].astype(np.int64)
        check_tokens(self.base, tokens, "target_prompt_logprobs")
        found[rows, columns] = self._scorer(1.0).score(contexts.take(rows), tokens)
        return found

    def _alternatives(
        self, request: SampleRequest, contexts: Contexts
    ) -> tuple[Ints | None, NDArray[np.float32] | None]:
        k = request.prompt_alt_tokens_k
        if k <= 0:
            return None, None
        shape = (contexts.size - 1, k)
        at = contexts.take(np.repeat(np.arange(shape[0]), k))
        scorer = self._scorer(request.temperature or GREEDY_SHOWN_AT)
        if request.temperature == 0:
            best = _topk(scorer.heads, contexts.take(slice(0, -1)), 1).token_ids
            tokens = np.repeat(best[:, 0].astype(np.int64), k)
        else:
            stream = generator(request, np.asarray(request.prompt, dtype=np.int64), -1)
            tokens = scorer.drawer.draw(at, stream.integers(0, 2**64, at.size, dtype=np.uint64))
        logprobs = scorer.score(at, tokens).astype(np.float32)
        return tokens.reshape(shape), logprobs.reshape(shape)


def generator(request: SampleRequest, prompt: Ints, index: int) -> np.random.Generator:
    """The random stream of one sample: a function of seed, prompt and sample index only."""
    origin = f"seed {request.seed}" if request.seed is not None else f"entropy {request.entropy}"
    digest = hashlib.sha256(f"{origin} sample {index} ".encode())
    digest.update(prompt.tobytes())
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest.digest()[:16], "little")))


def _from_heads(scorer: Scorer, at: Contexts, seeds: Seeds, top_k: int, top_p: float) -> Ints:
    """Draw among the top_k likeliest, or the nucleus of those."""
    tokens = np.empty(at.size, dtype=np.int64)
    for i, share in enumerate(uniform(seeds)):
        head = scorer.heads.chosen(at.take(slice(i, i + 1)), top_k, top_p)
        running = np.cumsum(head.weights)
        spot = np.searchsorted(running, share * running[-1], "right")
        tokens[i] = head.tokens[min(int(spot), head.tokens.size - 1)]
    return tokens


def _topk(heads: Heads, contexts: Contexts, k: int) -> TopK:
    ids = np.zeros((contexts.size, k), dtype=np.int32)
    logprobs: Floats = np.full((contexts.size, k), EMPTY_LOGPROB)
    for i in range(contexts.size):
        head = heads.top(contexts.take(slice(i, i + 1)), k)
        ids[i, : head.tokens.size] = head.tokens
        logprobs[i, : head.tokens.size] = np.log(head.weights) - np.log(head.total)
    return TopK(ids, logprobs.astype(np.float32))
