"""What sampling from one distribution needs besides its scorer."""

from functools import cached_property

from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.sampling.draw import Drawer
from tinker_mock.server.engine.sampling.listings import Listings
from tinker_mock.server.engine.sampling.top_k import TopKTable
from tinker_mock.server.engine.sampling.top_p import TopPTable


class SamplingTables:
    """Each table is made when it is first used.

    `Parameters.derived` keeps them: samplers come and go, tables stay.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    @cached_property
    def listings(self) -> Listings:
        return Listings(self.scorer)

    @cached_property
    def drawer(self) -> Drawer:
        return Drawer(self.scorer, self.listings)

    @cached_property
    def top_k(self) -> TopKTable:
        return TopKTable(self.scorer, self.listings)

    @cached_property
    def top_p(self) -> TopPTable:
        return TopPTable(self.scorer, self.drawer, self.top_k)
