"""The base model's fixed part: a root distribution and n-gram listings over it.

Interpolated n-grams in unnormalised form: a token's weight in a context is its root weight plus
`PAIR_WEIGHT` times its share after the last token plus `TRIPLE_WEIGHT` times its share after the
last two. Tokens that a context does not list keep the weight of the next shorter context.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.model.grammar import GRAMMAR_ROOT, ChatGrammar
from tinker_mock.server.engine.model.keys import Floats, Ints, KeySpace, find

PAIR_WEIGHT = 9.0
TRIPLE_WEIGHT = 30.0
ROOT_SHARE = 0.5
SUPPRESSED = -24.0
"""Of tokens that are no text: a thousand of them come once in 25 million tokens."""
PADDING = -32.0
NAME_NOISE = 0.25


@dataclass(frozen=True)
class Listing:
    """The tokens that contexts of one order list: sorted keys, log weights."""

    keys: Ints
    log_weights: Floats


@dataclass(frozen=True)
class Prior:
    """`root` log weights [vocabulary]; ordinary tokens' weights sum to 1."""

    root: Floats
    pairs: Listing
    triples: Listing

    def log_weight(self, order: int, keys: Ints, space: KeySpace) -> Floats:
        """A token's log weight in its context: that of the longest context which lists it."""
        weights = self.root[space.token_of(keys)].copy()
        listings = (self.pairs, self.triples)
        for listed_order in range(1, order + 1):
            listing = listings[listed_order - 1]
            short = keys if listed_order == order else space.shorten(keys, order)
            at = find(listing.keys, short)
            weights[at >= 0] = listing.log_weights[at[at >= 0]]
        return weights


def name_seed(name: str) -> int:
    """A 64-bit seed that depends on the text only."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")


def build_prior(
    name: str,
    space: KeySpace,
    tokenizer_size: int,
    grammar: ChatGrammar,
    documents: Iterable[Ints | Sequence[int]] = (),
) -> Prior:
    """The prior of the model called `name`, a pure function of its arguments.

    Without documents: frequencies that fall with the id, as in a byte-pair vocabulary.
    """
    runs = [np.asarray(d, dtype=np.int64) for d in documents if len(d)]
    empty = np.zeros(0, dtype=np.int64)
    text = np.concatenate(runs) if runs else empty
    sizes = np.array([run.size for run in runs], dtype=np.int64)
    place = np.arange(text.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    lead = [_shared_front(run, grammar.header) for run in runs]
    predicted = np.flatnonzero(place >= np.repeat(np.array(lead, dtype=np.int64), sizes))
    root = _root(name, space.vocabulary_size, tokenizer_size, grammar, text[predicted])
    if not runs:
        return Prior(root, Listing(empty, np.zeros(0)), Listing(empty, np.zeros(0)))
    return Prior(root, *_listings(space, root, text, place, predicted))


def _shared_front(run: Ints, header: Sequence[int]) -> int:
    """How many tokens of a document only open the turn: they are context, not text."""
    size = len(header)
    return size if size and run[:size].tolist() == list(header) else 0


def _root(name: str, size: int, tokenizer_size: int, grammar: ChatGrammar, text: Ints) -> Floats:
    ids = np.arange(size, dtype=np.float64)
    noise = np.random.Generator(np.random.PCG64(name_seed(name))).standard_normal(size)
    share = np.exp(-np.log(ids + 12.0) + NAME_NOISE * noise)
    ordinary = np.ones(size, dtype=bool)
    ordinary[list(grammar.special_set)] = False
    ordinary[tokenizer_size:] = False
    share = np.where(ordinary, share, 0.0)
    share /= share.sum()
    if text.size:
        counts = np.bincount(text, minlength=size) * ordinary
        share = ROOT_SHARE * share + (1 - ROOT_SHARE) * counts / counts.sum()
    root = np.full(size, SUPPRESSED)
    root[ordinary] = np.log(share[ordinary])
    root[tokenizer_size:] = PADDING
    for token in grammar.tokens:
        if not ordinary[token]:
            root[token] = GRAMMAR_ROOT
    return root


def _listings(
    space: KeySpace, root: Floats, text: Ints, place: Ints, predicted: Ints
) -> tuple[Listing, Listing]:
    """Shares of each successor after one and after two tokens, never across documents."""
    inner, deep = predicted[place[predicted] >= 1], predicted[place[predicted] >= 2]
    pair_keys = space.pair(text[inner - 1], text[inner])
    pairs, pair_share = _shares(pair_keys, space)
    pair_weight = np.exp(root[space.token_of(pairs)]) + PAIR_WEIGHT * pair_share
    triples, triple_share = _shares(space.triple(text[deep - 1], text[deep - 2], text[deep]), space)
    below = pair_weight[find(pairs, space.shorten(triples, 2))]
    return (
        Listing(pairs, np.log(pair_weight)),
        Listing(triples, np.log(below + TRIPLE_WEIGHT * triple_share)),
    )


def _shares(keys: Ints, space: KeySpace) -> tuple[Ints, Floats]:
    unique, counts = np.unique(keys, return_counts=True)
    _, context, size = np.unique(space.context_of(unique), return_inverse=True, return_counts=True)
    totals = np.bincount(context, weights=counts, minlength=size.size)
    return unique, counts / totals[context]
