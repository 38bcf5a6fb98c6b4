"""Which tokens each context lists: those whose weight differs from the next shorter context's.

Contexts form a tree: the parent of one is the next shorter, the root (number 0) is the empty one.
Entries are (context, token) pairs, and form a tree as well: an entry's parent is the same token in
the parent context, and is always there. What a context does not list weighs what it weighs in its
parent, as in a back-off n-gram model. The table only grows, so numbers stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.hash_index import HashIndex
from tinker_mock.server.engine.model.hashing import Hashes, entry_keys, features, joined
from tinker_mock.server.engine.model.keys import Bools, Ints, distinct
from tinker_mock.server.engine.model.members import Members

ROOT = np.full(1, 0x6A09E667F3BCC908, dtype=np.uint64)


@dataclass(frozen=True)
class Rows:
    """(context, token) pairs to list: the order and name of each context and of its parent."""

    orders: Ints
    contexts: Hashes
    shorter: Hashes
    tokens: Ints

    def take(self, index: Ints) -> Rows:
        return Rows(
            self.orders[index], self.contexts[index], self.shorter[index], self.tokens[index]
        )

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        return cls(
            np.concatenate([part.orders for part in parts]),
            np.concatenate([part.contexts for part in parts]),
            np.concatenate([part.shorter for part in parts]),
            np.concatenate([part.tokens for part in parts]),
        )


@dataclass
class ContextTable:
    """Per context its order and parent; per entry its context, token, parent, grammar column and
    the frozen model's log weight. `listed` marks the entries that their context lists: all but
    those of order 0 that are only there as parents."""

    frozen: FrozenModel
    contexts: HashIndex
    order: Column[np.int64]
    context_parent: Column[np.int64]
    entries: HashIndex
    context: Column[np.int64]
    token: Column[np.int64]
    parent: Column[np.int64]
    column: Column[np.int64]
    log_base: Column[np.float64]
    listed: Column[np.bool_]
    members: Members

    @classmethod
    def of(cls, frozen: FrozenModel) -> ContextTable:
        """The entries of the frozen model's listings."""
        none = np.zeros(0, dtype=np.int64)
        table = cls(
            frozen=frozen,
            contexts=HashIndex(),
            order=Column(none),
            context_parent=Column(np.full(1, -1)),
            entries=HashIndex(),
            context=Column(none),
            token=Column(none),
            parent=Column(none),
            column=Column(none),
            log_base=Column(np.zeros(0)),
            listed=Column(np.zeros(0, dtype=bool)),
            members=Members(),
        )
        table._add_contexts(np.zeros(1, dtype=np.int64), ROOT)
        table._add_prior()
        return table

    def branch(self) -> ContextTable:
        """A copy that may go its own way."""
        return self._copied("branch")

    def snapshot(self) -> ContextTable:
        """What is listed now, for readers; shares all that does not change."""
        taken = self._copied("frozen")
        taken.listed = self.listed.branch()
        return taken

    def _copied(self, how: str) -> ContextTable:
        parts = {name: part for name, part in vars(self).items() if name != "frozen"}
        return ContextTable(self.frozen, **{n: getattr(p, how)() for n, p in parts.items()})

    def chains(self, keys: Hashes) -> Ints:
        """[orders, N] the contexts of every place, root first, -1 where none is listed."""
        found = np.zeros((keys.shape[0] + 1, keys.shape[1]), dtype=np.int64)
        found[1:] = self.contexts.find(keys.ravel()).reshape(keys.shape)
        return found

    def deepest_entries(self, chains: Ints, tokens: Ints) -> Ints:
        """[N] each token's entry in the longest context of its chain that has one, else -1."""
        keys = self.contexts.keys
        found = np.full(tokens.size, -1, dtype=np.int64)
        open_ = np.arange(tokens.size)
        for order in reversed(range(chains.shape[0])):
            if open_.size == 0:
                break
            context = chains[order, open_]
            here = open_[context >= 0]
            if here.size == 0:
                continue
            at = self.entries.find(entry_keys(keys[chains[order, here]], tokens[here]))
            found[here] = at
            open_ = open_[found[open_] < 0]
        return found

    def listed_in(self, contexts: Ints, tokens: Ints) -> Bools:
        """Whether each context lists the token."""
        at = self.entries.find(entry_keys(self.contexts.keys[contexts], tokens))
        return (at >= 0) & self.listed.values[at]

    def by_order(self) -> list[Ints]:
        """All contexts of each order."""
        order = self.order.values
        return [np.flatnonzero(order == number) for number in range(self.frozen.orders)]

    def ancestors(self, context: int) -> list[int]:
        """The context and all shorter ones, the root last."""
        found = [context]
        while found[-1] > 0:
            found.append(int(self.context_parent.values[found[-1]]))
        return found

    def grow(self, rows: Rows) -> Ints:
        """The entry of every row, made where it was missing. Parents must be there or come along;
        rows of order 0 are not listed by this."""
        deep = rows.orders > 0
        fresh = _first_of_each(rows.contexts, deep & (self.contexts.find(rows.contexts) < 0))
        self._add_contexts(rows.orders[fresh], rows.contexts[fresh])
        self.context_parent.extend(self.contexts.find(rows.shorter[fresh]))
        keys = entry_keys(rows.contexts, rows.tokens)
        fresh = _first_of_each(keys, self.entries.find(keys) < 0)
        if fresh.size:
            self._add_entries(rows.take(fresh), keys[fresh])
        return self.entries.find(keys)

    def list_root(self, entries: Ints) -> None:
        """Have the root list entries of order 0."""
        fresh = entries[~self.listed.values[entries]]
        self.listed.values[fresh] = True
        self.members.append(np.zeros(fresh.size, dtype=np.int64), fresh)

    def _add_contexts(self, orders: Ints, keys: Hashes) -> None:
        self.contexts.add(keys)
        self.order.extend(orders)
        self.members.add(keys.size)

    def _add_entries(self, rows: Rows, keys: Hashes) -> None:
        ids = self.entries.add(keys)
        contexts, deep = self.contexts.find(rows.contexts), rows.orders > 0
        parents = np.full(ids.size, -1, dtype=np.int64)
        parents[deep] = self.entries.find(entry_keys(rows.shorter[deep], rows.tokens[deep]))
        self.context.extend(contexts)
        self.token.extend(rows.tokens)
        self.parent.extend(parents)
        self.column.extend(self.frozen.column_of[rows.tokens])
        self.listed.extend(deep)
        self.log_base.extend(self.frozen.prior.root[rows.tokens])
        base = self.log_base.values
        for order in range(1, self.frozen.orders):
            here = rows.orders == order
            base[ids[here]] = base[parents[here]]
        self.members.append(contexts[deep], ids[deep])

    def _add_prior(self) -> None:
        prior, space = self.frozen.prior, self.frozen.space
        pairs, triples = prior.pairs.keys, prior.triples.keys
        # Token 0, so that there is always an entry: arrays without one cannot be looked into.
        tokens = distinct(self.frozen.grammar.tokens, space.token_of(pairs), np.zeros(1, dtype=int))
        root = np.repeat(ROOT, tokens.size)
        self.grow(Rows(np.zeros_like(tokens), root, root, tokens))
        last = space.context_of(pairs)
        root = np.repeat(ROOT, last.size)
        rows = Rows(np.ones_like(last), features(last), root, space.token_of(pairs))
        entries = self.grow(rows)
        self.log_base.values[entries] = prior.pairs.log_weights
        context, tokens = space.context_of(triples), space.token_of(triples)
        shorter = features(space.context_of(context))
        name = joined(shorter, features(space.token_of(context)))
        rows = Rows(np.full_like(tokens, 2), name, shorter, tokens)
        entries = self.grow(rows)
        self.log_base.values[entries] = prior.triples.log_weights


def _first_of_each(keys: Hashes, wanted: Bools) -> Ints:
    """Positions, in order, of the first wanted row of each key."""
    places = np.flatnonzero(wanted)
    if places.size == 0:
        return places
    _, first = np.unique(keys[places], return_index=True)
    return places[np.sort(first)]
