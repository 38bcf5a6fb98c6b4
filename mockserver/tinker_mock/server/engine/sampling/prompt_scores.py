"""What a request asks about its prompt: log-probabilities, top-k, targets, alternatives."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.contexts import Contexts, check_tokens
from tinker_mock.server.engine.model.keys import Ints
from tinker_mock.server.engine.sampling.counter_rng import numbered, seed_of
from tinker_mock.server.engine.sampling.requests import SampleRequest, shown_temperature
from tinker_mock.server.engine.sampling.results import EMPTY_LOGPROB, TopK
from tinker_mock.server.engine.sampling.tables import SamplingTables


@dataclass
class PromptScores:
    """The answers to one request, each worked out when it is asked for.

    `tables` gives those of a temperature: all answers are of 1, but alternatives of the request's.
    """

    request: SampleRequest
    prompt: Ints
    base: BaseModel
    tables: Callable[[float], SamplingTables]

    @cached_property
    def contexts(self) -> Contexts:
        """What each position of the prompt ends."""
        return self.base.read([self.prompt])

    def logprobs(self) -> NDArray[np.float32] | None:
        """[prompt], NaN where nothing was asked or the position is no text."""
        if not self.request.prompt_logprobs:
            return None
        found = np.full(self.prompt.size, np.nan, dtype=np.float32)
        places = np.arange(self._begin(), self.prompt.size)
        places = places[self.prompt[places] >= 0]
        checkpoint()
        before = self.contexts.take(places - 1)
        found[places] = self.tables(1.0).scorer.score(before, self.prompt[places])
        return found

    def top_k(self) -> TopK | None:
        """[prompt, k]; the first position's row is empty."""
        k = self.request.topk_prompt_logprobs
        if k <= 0:
            return None
        begin, size = self._begin(), self.prompt.size
        ids = np.zeros((size, k), dtype=np.int32)
        logprobs = np.full((size, k), EMPTY_LOGPROB, dtype=np.float32)
        rows = self.tables(1.0).top_k.logprobs(self.contexts.take(slice(begin - 1, -1)), k)
        ids[begin:], logprobs[begin:] = rows.token_ids, rows.logprobs
        return TopK(ids, logprobs)

    def targets(self) -> NDArray[np.float32] | None:
        """[prompt - 1, K], 0 where no target was asked."""
        wanted = self.request.target_prompt_logprobs
        if wanted is None:
            return None
        found = np.zeros(wanted.shape, dtype=np.float32)
        rows, columns = np.nonzero(wanted >= 0)
        tokens = wanted[rows, columns].astype(np.int64)
        scorer = self.tables(1.0).scorer
        check_tokens(scorer.frozen, tokens, "target_prompt_logprobs")
        found[rows, columns] = scorer.score(self.contexts.take(rows), tokens)
        return found

    def alternatives(self) -> tuple[Ints | None, NDArray[np.float32] | None]:
        """[prompt - 1, k] tokens drawn in each position's place, and their log-probabilities."""
        k = self.request.prompt_alt_tokens_k
        if k <= 0:
            return None, None
        shape = (self.prompt.size - 1, k)
        tables = self.tables(shown_temperature(self.request))
        at = self.contexts.take(np.repeat(np.arange(shape[0]), k))
        if self.request.temperature == 0:
            tokens = np.repeat(tables.top_k.likeliest(self.contexts.take(slice(0, -1))), k)
        else:
            seed = np.full(at.size, seed_of(self.request, self.prompt, -1), dtype=np.uint64)
            tokens = tables.drawer.draw(at, numbered(seed))
        logprobs = tables.scorer.score(at, tokens).astype(np.float32)
        return tokens.reshape(shape), logprobs.reshape(shape)

    def _begin(self) -> int:
        """The first position that is asked about."""
        last = self.request.prompt_logprobs_last_n
        return 1 if last is None else self.prompt.size - last
