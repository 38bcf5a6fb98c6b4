"""The frozen model: what the weights of a real base model would be, and what follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.grammar import ChatGrammar
from tinker_mock.server.engine.model.keys import Floats, Ints, KeySpace
from tinker_mock.server.engine.model.prior import PADDING, Prior, build_prior
from tinker_mock.server.lru import LruCache

Corpus = Callable[[], Iterable[Ints | Sequence[int]]]

KEPT_TEMPERATURES = 8

WINDOWS = (1, 2, 4, 16)
"""How many tokens back the contexts of orders 1, 2, … reach; the last order's is all before it."""
ORDERS = 2 + len(WINDOWS)


class FrozenModel:
    """A fixed function of its name, its vocabulary, its chat grammar and its corpus.

    Everything is made at first use and never changes; adapters only add to it.
    """

    def __init__(
        self,
        name: str,
        vocabulary_size: int,
        tokenizer_size: int,
        grammar: ChatGrammar,
        corpus: Corpus | None,
        orders: int = ORDERS,
    ) -> None:
        self.name = name
        self.orders = orders
        self.windows = WINDOWS[: orders - 1]
        self.whole_prefix = orders == ORDERS
        self.space = KeySpace(vocabulary_size)
        self.space.check()
        if not 1 <= tokenizer_size <= vocabulary_size:
            raise EngineError(
                "tokenizer_size",
                f"must be between 1 and the vocabulary size {vocabulary_size}",
                f"Got {tokenizer_size}",
            )
        self.tokenizer_size = tokenizer_size
        self.grammar = grammar
        self._corpus = corpus
        self._cumulative: LruCache[float, Floats] = LruCache(KEPT_TEMPERATURES)

    def __deepcopy__(self, memo: dict[int, object]) -> FrozenModel:
        return self

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

    def root_total(self, temperature: float) -> float:
        """Sum of the ordinary tokens' root weights at a temperature, padding rows included."""
        return float(self.root_cumulative(temperature)[-1] + self._padding_total(temperature))

    def root_cumulative(self, temperature: float) -> Floats:
        """[tokenizer_size] running sum of the ordinary tokens' root weights; kept for reuse."""
        return self._cumulative.get_or_make(temperature, lambda: self._sum_root(temperature))

    def _sum_root(self, temperature: float) -> Floats:
        weights = np.exp(self.prior.root[: self.tokenizer_size] / temperature)
        weights[self.column_of[: self.tokenizer_size] != 0] = 0.0
        return np.cumsum(weights)

    def _padding_total(self, temperature: float) -> float:
        rows = self.vocabulary_size - self.tokenizer_size
        return rows * float(np.exp(PADDING / temperature))
