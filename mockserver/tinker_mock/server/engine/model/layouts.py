"""Where contexts and their entries lie when they are made ready together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from tinker_mock.server.engine.model.context_tables import ContextTable
from tinker_mock.server.engine.model.keys import Floats, Ints, Narrow
from tinker_mock.server.engine.model.numbering import Numbering


class ParameterValues(Protocol):
    """Which entries are parameters, and what those are by now."""

    def trained_among(self, entries: Ints) -> Ints:
        """The places of parameters among entries."""
        ...

    def values_of(self, entries: Ints) -> Floats:
        """The values of entries that are all parameters."""
        ...

    @property
    def revision(self) -> int:
        """Greater whenever an entry became a parameter."""
        ...


@dataclass(frozen=True)
class Layout:
    """Contexts, shorter ones first, and their entries end to end.

    `levels` cut the contexts, `cuts` the entries by order; `ends` [contexts + 1] are where each
    context's entries begin and end, `listing` the places of contexts that have any, `context_up`
    the places of their parents (-1 for one that is not among them). Per entry: `up` the place of
    its parent (-1 likewise), `plain` its log weight without parameters. `outside` are the places of
    those beyond order 0 whose parent, `outside_parent`, is not among them. `trained` are the
    places of parameters, `parameters` their entries; `marked` those of grammar tokens, with the
    place of their context, `owner`, and their grammar `column`.
    """

    contexts: Ints
    levels: list[int]
    context_up: Ints
    ends: Ints
    listing: Ints
    entries: Ints
    cuts: list[int]
    up: Ints
    plain: Floats
    outside: Ints
    outside_parent: Narrow
    trained: Ints
    parameters: Ints
    marked: Ints
    owner: Ints
    column: Narrow

    @cached_property
    def whole(self) -> bool:
        """Whether every shorter context is among them."""
        return self.levels[1] == 1 and bool((self.context_up[1:] >= 0).all())

    @property
    def lengths(self) -> Ints:
        """How many entries each context has."""
        return np.diff(self.ends)


def laid_out(
    table: ContextTable,
    values: ParameterValues,
    levels: list[Ints],
    numbers: Numbering,
    context_numbers: Numbering,
) -> Layout:
    """The distinct contexts of each order with all they list. `numbers` are of entries."""
    contexts = np.concatenate(levels)
    entries, lengths = table.members.of(contexts)
    ends = np.zeros(contexts.size + 1, dtype=np.int64)
    np.cumsum(lengths, out=ends[1:])
    bounds = [0]
    for level in levels:
        bounds.append(bounds[-1] + level.size)
    cuts: list[int] = ends[bounds].tolist()
    root = cuts[1]
    above = table.context_parent.values.take(contexts)
    parent = table.parent.values.take(entries)
    up = numbers.of(entries, parent, table.entries.size)
    outside = root + np.flatnonzero(up[root:] < 0)
    trained = values.trained_among(entries)
    columns = table.column.values.take(entries)
    marked = np.flatnonzero(columns)
    return Layout(
        contexts=contexts,
        levels=bounds,
        context_up=context_numbers.of(contexts, above, table.contexts.size),
        ends=ends,
        listing=np.flatnonzero(lengths),
        entries=entries,
        cuts=cuts,
        up=up,
        plain=table.log_base.values.take(entries),
        outside=outside,
        outside_parent=parent[outside],
        trained=trained,
        parameters=entries.take(trained),
        marked=marked,
        owner=np.searchsorted(ends, marked, "right") - 1,
        column=columns[marked],
    )
