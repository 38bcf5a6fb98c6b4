"""A base model: a fixed function of its name, its vocabulary and its chat grammar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.adapter import AdapterShape, Parameters
from tinker_mock.server.engine.model.context_tables import Lattice
from tinker_mock.server.engine.model.grammar import ChatGrammar
from tinker_mock.server.engine.model.keys import Floats, Ints, KeySpace
from tinker_mock.server.engine.model.prior import PADDING, Prior, build_prior
from tinker_mock.server.engine.model.scripted_answers import ScriptBook
from tinker_mock.server.engine.model.weights import Residents
from tinker_mock.server.lru import Latest

Decode = Callable[[Sequence[int]], str]
Corpus = Callable[[], Iterable[Ints | Sequence[int]]]

KEPT_TEMPERATURES = 8


class BaseModel:
    """The frozen part that every adapter of this model shares.

    `vocabulary_size` counts the rows of the model's output, `tokenizer_size` the ids that exist:
    rows beyond it are accepted as targets and never sampled. `corpus` gives the documents of the
    n-gram prior as token ids (called once, at first use); None leaves the synthetic prior.
    `decode` turns tokens into text, for stop strings; None refuses those.
    """

    def __init__(
        self,
        name: str,
        vocabulary_size: int,
        tokenizer_size: int | None = None,
        end_tokens: Sequence[int] = (),
        *,
        grammar: ChatGrammar | None = None,
        context_length: int = 32768,
        corpus: Corpus | None = None,
        decode: Decode | None = None,
    ) -> None:
        self.name = name
        self.space = KeySpace(vocabulary_size)
        self.space.check()
        self.tokenizer_size = vocabulary_size if tokenizer_size is None else tokenizer_size
        if not 1 <= self.tokenizer_size <= vocabulary_size:
            raise EngineError(
                "tokenizer_size",
                f"must be between 1 and the vocabulary size {vocabulary_size}",
                f"Got {tokenizer_size}",
            )
        self.grammar = grammar or ChatGrammar(end_tokens=tuple(end_tokens))
        self.end_tokens = tuple(end_tokens) or self.grammar.end_tokens
        self.context_length = context_length
        self.decode = decode
        self.scripts = ScriptBook()
        self._corpus = corpus
        self.residents = Residents()
        self._cumulative: Latest[float, Floats] = Latest(KEPT_TEMPERATURES)

    @property
    def vocabulary_size(self) -> int:
        return self.space.vocabulary_size

    @cached_property
    def prior(self) -> Prior:
        documents = self._corpus() if self._corpus else ()
        return build_prior(self.name, self.space, self.tokenizer_size, self.grammar, documents)

    @cached_property
    def column_of(self) -> Ints:
        """[vocabulary]: a token's grammar column, 0 for ordinary text."""
        columns = np.zeros(self.vocabulary_size, dtype=np.int64)
        columns[self.grammar.tokens] = 1 + np.arange(self.grammar.tokens.size)
        return columns

    @cached_property
    def mark_table(self) -> Ints:
        """[vocabulary + 2]: the kind of mark each token leaves, -1 for none."""
        return self.grammar.mark_table(self.vocabulary_size + 2)

    @cached_property
    def root_order(self) -> Ints:
        """Ordinary tokens that exist, heaviest first (ties by id)."""
        root = self.prior.root[: self.tokenizer_size]
        order: Ints = np.argsort(-root, kind="stable")
        ordinary: Ints = order[self.column_of[order] == 0]
        return ordinary

    def root_mass(self, temperature: float) -> float:
        """Sum of the ordinary tokens' root weights at a temperature."""
        return float(self.root_cumulative(temperature)[-1] + self._padding_mass(temperature))

    def root_cumulative(self, temperature: float) -> Floats:
        """[tokenizer_size] running sum of the ordinary tokens' root weights; kept for reuse."""
        return self._cumulative.get(temperature, lambda: self._sum_root(temperature))

    def _sum_root(self, temperature: float) -> Floats:
        weights = np.exp(self.prior.root[: self.tokenizer_size] / temperature)
        weights[self.column_of[: self.tokenizer_size] != 0] = 0.0
        return np.cumsum(weights)

    def _padding_mass(self, temperature: float) -> float:
        rows = self.vocabulary_size - self.tokenizer_size
        return rows * float(np.exp(PADDING / temperature))

    @cached_property
    def bare_lattice(self) -> Lattice:
        """The contexts of the prior alone."""
        return Lattice.build(self, ())

    @cached_property
    def bare(self) -> Parameters:
        """The untrained model: an adapter without parameters."""
        return Parameters.initial(self, AdapterShape())
