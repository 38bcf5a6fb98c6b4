"""A base model: the frozen model, and what everything that runs on it shares."""

from collections.abc import Sequence
from functools import cached_property
from threading import Lock

import numpy as np

from tinker_mock.server.engine.model.adapter import Adapter, AdapterShape
from tinker_mock.server.engine.model.context_tables import ContextTable
from tinker_mock.server.engine.model.contexts import Contexts, contexts_of
from tinker_mock.server.engine.model.frozen_model import ORDERS, Corpus, FrozenModel
from tinker_mock.server.engine.model.grammar import ChatGrammar
from tinker_mock.server.engine.model.keys import Ints
from tinker_mock.server.engine.model.parameters import Parameters
from tinker_mock.server.engine.model.plans import Plans
from tinker_mock.server.engine.model.resident import Resident
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.model.scripted_answers import Decode, ScriptedAnswers
from tinker_mock.server.engine.model.weights import Weights

Successors = list[tuple[int, float]]
"""Scripted tokens with the logs of their odds against all that are not."""

MOST_RESIDENT = 8
"""So many weights stay unpacked: contexts, normalisers and running sums of what they were asked."""


class BaseModel:
    """A frozen model with its scripted answers, and the weights used last, ready to compute with.

    `vocabulary_size` counts the rows of the model's output, `tokenizer_size` the ids that exist:
    rows beyond it are accepted as targets and never sampled. `corpus` gives the documents of the
    n-gram prior as token ids (called once, at first use); None leaves the synthetic prior.
    `decode` turns tokens into text, for stop strings; None refuses those. `orders` below the usual
    leave out the longest contexts: 3 looks two tokens back.
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
        orders: int = ORDERS,
    ) -> None:
        grammar = grammar or ChatGrammar(end_tokens=tuple(end_tokens))
        size = vocabulary_size if tokenizer_size is None else tokenizer_size
        self.frozen = FrozenModel(name, vocabulary_size, size, grammar, corpus, orders)
        self.end_tokens = tuple(end_tokens) or grammar.end_tokens
        self.context_length = context_length
        self.decode = decode
        self.scripted_answers = ScriptedAnswers(grammar, size)
        self._table: ContextTable | None = None
        self._making = Lock()
        self._resident = Resident(MOST_RESIDENT)
        self.plans = Plans()

    @property
    def name(self) -> str:
        return self.frozen.name

    @property
    def vocabulary_size(self) -> int:
        return self.frozen.vocabulary_size

    @property
    def table(self) -> ContextTable:
        """What the untrained model lists; made once, whichever thread asks first."""
        if self._table is None:
            self.prepare()
        assert self._table is not None
        return self._table

    @property
    def prepared(self) -> bool:
        """Whether all that takes a moment to make is there."""
        return self._table is not None

    def prepare(self) -> None:
        """Make it."""
        with self._making:
            self._table = self._table or ContextTable.of(self.frozen)

    @cached_property
    def untrained(self) -> Parameters:
        """The model before any training: an adapter without parameters."""
        return Parameters(self.new_adapter(AdapterShape()))

    def new_adapter(self, shape: AdapterShape) -> Adapter:
        """An adapter to train: without parameters, over the table of the untrained model."""
        return Adapter.empty(shape, self.table.over())

    def snapshot(self, adapter: Adapter) -> Weights:
        """An adapter that changes no more as immutable weights, which stay unpacked for a while."""
        weights = Weights(adapter.shape, adapter.packed())
        self._resident.put(weights, Parameters(adapter))
        return weights

    def parameters(self, weights: Weights | None = None) -> Parameters:
        """The weights (None: the untrained model's), unpacked."""
        if weights is None:
            return self.untrained
        return self._resident.of(weights, lambda: weights.unpack(self.table))

    def scorer(self, weights: Weights | None = None, temperature: float = 1.0) -> Scorer:
        """Log-probabilities under the weights (None: untrained) at a temperature."""
        return self.parameters(weights).scorer(temperature)

    def read(self, sequences: Sequence[Ints]) -> Contexts:
        """The contexts of every token of every sequence, with the scripted answers due there."""
        contexts = contexts_of(self.frozen, sequences)
        if not self.scripted_answers:
            return contexts
        self.scripted_answers.use_text(self.decode)
        due: list[tuple[int, Successors]] = []
        begin = 0
        for tokens in sequences:
            due += [(begin + at, found) for at, found in self.scripted_answers.due(tokens)]
            begin += tokens.size
        return self.lifted(contexts, due)

    def lifted(self, contexts: Contexts, due: Sequence[tuple[int, Successors]]) -> Contexts:
        """The contexts with the scripted successors that are due at some of their places.

        A factor raises each to its odds in the untrained model.
        """
        if not due:
            return contexts
        most = max(len(successors) for _, successors in due)
        scripted = np.full((most, contexts.size), -1, dtype=np.int64)
        log_odds = np.zeros((most, contexts.size))
        for place, successors in due:
            for row, (token, odds) in enumerate(successors):
                scripted[row, place], log_odds[row, place] = token, odds
        log_lift = np.zeros(scripted.shape)
        at = np.array([place for place, _ in due], dtype=np.int64)
        plain, there = contexts.take(at), scripted[:, at] >= 0
        usual = np.zeros((most, at.size))
        for row in range(most):
            asked = np.flatnonzero(there[row])
            tokens = scripted[row, at[asked]]
            usual[row, asked] = self.scorer().score(plain.take(asked), tokens)
        # Probabilities that add up to 1 would leave no odds to raise.
        taken = np.minimum(np.where(there, np.exp(usual), 0.0).sum(axis=0), 1.0 - 1e-12)
        lifts = log_odds[:, at] - usual + np.log1p(-taken)
        log_lift[:, at] = np.where(there, lifts, 0.0)
        return contexts.with_lifts(scripted, log_lift)
