"""Which tokens each context lists: those whose weight differs from the next shorter context's.

Contexts form a tree: the parent of one is the next shorter, the root (number 0) is the empty one.
Entries are (context, token) pairs, and form a tree as well: an entry's parent is the same token in
the parent context, and is always there. What a context does not list weighs what it weighs in its
parent, as in a back-off n-gram model. The table only grows, so numbers stay.

What the untrained model lists is in one table that all share. An adapter's or a sampler's table is
over it: it takes over a context when it is first asked for, and holds no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.hash_index import HashIndex
from tinker_mock.server.engine.model.hashing import Hashes, entry_keys, features, joined
from tinker_mock.server.engine.model.keys import Bools, Ints, Narrow, distinct
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


LISTED_ORDERS = 2
"""The untrained model's contexts have that many tokens at most."""

MANY = 256
"""Whoever took over so many contexts takes over the rest at once: it costs as much as 30 times a
few."""


@dataclass
class ContextTable:
    """Per context its order and parent; per entry its context, token, parent, grammar column and
    the frozen model's log weight. `listed` marks the entries that their context lists: all but
    those of order 0 that are only there as parents. `untrained` is the table that this one is over,
    None in that one itself; `taken` counts what this one took over."""

    frozen: FrozenModel
    untrained: ContextTable | None
    contexts: HashIndex
    order: Column[np.int8]
    context_parent: Column[np.int32]
    entries: HashIndex
    context: Column[np.int32]
    token: Column[np.int32]
    parent: Column[np.int32]
    column: Column[np.int16]
    log_base: Column[np.float64]
    listed: Column[np.bool_]
    members: Members
    taken: int = 0

    @classmethod
    def of(cls, frozen: FrozenModel) -> ContextTable:
        """The entries of the frozen model's listings."""
        table = cls._rooted(frozen, None)
        table._add_prior()
        return table

    def over(self) -> ContextTable:
        """A table over this one, which does not change any more."""
        return self._rooted(self.frozen, self)

    @classmethod
    def _rooted(cls, frozen: FrozenModel, untrained: ContextTable | None) -> ContextTable:
        """The root, and token 0: arrays without an entry could not be looked into."""
        table = cls(
            frozen=frozen,
            untrained=untrained,
            contexts=HashIndex(),
            order=Column(np.zeros(0, dtype=np.int8)),
            context_parent=Column(np.full(1, -1, dtype=np.int32)),
            entries=HashIndex(),
            context=Column(np.zeros(0, dtype=np.int32)),
            token=Column(np.zeros(0, dtype=np.int32)),
            parent=Column(np.zeros(0, dtype=np.int32)),
            column=Column(np.zeros(0, dtype=np.int16)),
            log_base=Column(np.zeros(0)),
            listed=Column(np.zeros(0, dtype=bool)),
            members=Members(),
        )
        zero = np.zeros(1, dtype=np.int64)
        table._add_contexts(zero, ROOT)
        table.grow(Rows(zero, ROOT, ROOT, zero))
        return table

    def branch(self) -> ContextTable:
        """A copy that may go its own way; shares what neither changes."""
        return ContextTable(
            self.frozen,
            self.untrained,
            self.contexts.branch(),
            self.order.frozen(),
            self.context_parent.frozen(),
            self.entries.branch(),
            self.context.frozen(),
            self.token.frozen(),
            self.parent.frozen(),
            self.column.frozen(),
            self.log_base.frozen(),
            self.listed.branch(),
            self.members.branch(),
        )

    def __deepcopy__(self, memo: dict[int, object]) -> ContextTable:
        return self if self.untrained is None else self.branch()

    def chains(self, keys: Hashes) -> Ints:
        """[orders, N] the contexts of every place, root first, -1 where none is listed."""
        found = np.zeros((keys.shape[0] + 1, keys.shape[1]), dtype=np.int64)
        found[1:] = self.contexts.find(keys.ravel()).reshape(keys.shape)
        short = keys[:LISTED_ORDERS]
        if self._take_over(short[found[1 : 1 + LISTED_ORDERS] < 0]):
            found[1 : 1 + LISTED_ORDERS] = self.contexts.find(short.ravel()).reshape(short.shape)
        return found

    def fetch(self, contexts: Hashes) -> None:
        """Take over the untrained model's contexts of these names."""
        self._take_over(contexts[self.contexts.find(contexts) < 0])

    def fetch_roots(self, tokens: Ints) -> None:
        """Take over the untrained model's entries of order 0 of these tokens."""
        if self.untrained is not None:
            tokens = distinct(tokens)
            at = self.untrained.entries.find(entry_keys(np.repeat(ROOT, tokens.size), tokens))
            self._copy_roots(self.untrained, at[at >= 0])

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

    def ancestors(self, context: int) -> list[int]:
        """The context and all shorter ones, the root last."""
        found = [context]
        while found[-1] > 0:
            found.append(int(self.context_parent.values[found[-1]]))
        return found

    def grow(self, rows: Rows) -> Ints:
        """The entry of every row, made where it was missing. Parents must be there or come along,
        and what the untrained model has of the contexts and tokens must be there (`chains` or
        `fetch`, and `fetch_roots`); rows of order 0 are not listed by this."""
        deep = rows.orders > 0
        fresh = _first_of_each(rows.contexts, deep & (self.contexts.find(rows.contexts) < 0))
        self._add_contexts(rows.orders[fresh], rows.contexts[fresh])
        self.context_parent.extend(self.contexts.find(rows.shorter[fresh]))
        keys = entry_keys(rows.contexts, rows.tokens)
        found = self.entries.find(keys)
        missing = found < 0
        fresh = _first_of_each(keys, missing)
        if fresh.size:
            self._add_entries(rows.take(fresh), keys[fresh])
            found[missing] = self.entries.find(keys[missing])
        return found

    def list_root(self, entries: Ints) -> None:
        """Have the root list entries of order 0."""
        fresh = entries[~self.listed.values[entries]]
        self.listed.values[fresh] = True
        self.members.append(np.zeros(fresh.size, dtype=np.int64), fresh)

    def as_if_whole(self, entries: Ints) -> tuple[Ints, Ints]:
        """The numbers that entries and their contexts would have if all of the untrained model had
        been taken over at first: they do not depend on what was asked for when."""
        assert self.untrained is not None
        whole, contexts = self.untrained, self.context.values[entries]
        found = []
        for ours, theirs, numbers in (
            (self.entries, whole.entries, entries),
            (self.contexts, whole.contexts, contexts),
        ):
            there = theirs.find(ours.keys[numbers])
            found.append(np.where(there >= 0, there, theirs.size + numbers))
        return found[0], found[1]

    def take_over_rest(self) -> None:
        """Have all that the untrained model lists."""
        assert self.untrained is not None
        names = self.untrained.contexts.keys
        self._take_over(names[self.contexts.find(names) < 0])
        self.taken = names.size

    def _take_over(self, names: Hashes) -> bool:
        """Have the untrained model's contexts of these names, which are not here yet; whether there
        was any."""
        whole = self.untrained
        if whole is None or names.size == 0 or self.taken == whole.contexts.size:
            return False
        at = whole.contexts.find(names)
        at = distinct(at[at >= 0])
        if at.size == 0:
            return False
        at = distinct(at, whole.context_parent.values[at])  # shorter ones have smaller numbers
        at = at[self.contexts.find(whole.contexts.keys[at]) < 0]
        shorter = whole.contexts.keys[whole.context_parent.values[at]]
        entries, lengths = whole.members.of(at)
        cut = int(lengths[whole.order.values[at] == 1].sum())
        self._copy_roots(whole, whole.parent.values[entries[:cut]])
        owners = np.repeat(self.contexts.add(whole.contexts.keys[at]), lengths)
        self.order.extend(whole.order.values[at])
        self.context_parent.extend(self.contexts.find(shorter))
        self.members.add_full(lengths, self.entries.size + np.arange(entries.size))
        self._copy_entries(whole, entries[:cut], owners[:cut])
        self._copy_entries(whole, entries[cut:], owners[cut:])
        self.taken += at.size
        return True

    def _copy_roots(self, whole: ContextTable, at: Narrow) -> None:
        """Have the untrained model's entries of order 0, as far as they are not here."""
        at = distinct(at)
        at = at[self.entries.find(whole.entries.keys[at]) < 0]
        self._copy_entries(whole, at, np.zeros(at.size, dtype=np.int64))

    def _copy_entries(self, whole: ContextTable, at: Ints, contexts: Ints) -> None:
        """Have the untrained model's entries, whose parents are here, in these contexts."""
        parents = whole.parent.values[at]
        ours = self.entries.find(whole.entries.keys[parents])
        self.context.extend(contexts)
        self.token.extend(whole.token.values[at])
        self.parent.extend(np.where(parents < 0, -1, ours))
        self.column.extend(whole.column.values[at])
        self.log_base.extend(whole.log_base.values[at])
        self.listed.extend(whole.listed.values[at])
        self.entries.add(whole.entries.keys[at])  # found by other threads from here on

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
        tokens = distinct(self.frozen.grammar.tokens, space.token_of(pairs))
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
