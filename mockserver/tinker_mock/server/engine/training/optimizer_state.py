"""What any optimizer keeps is kept of an adapter's parameters."""

from tinker_mock.server.engine.model.adapter import Adapter
from tinker_mock.server.engine.model.keys import Ints


class OptimizerState:
    """Beside an adapter, which says what its parameters are."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter

    @property
    def revision(self) -> int:
        """Greater whenever an entry became a parameter."""
        return self.adapter.revision

    def trained_among(self, entries: Ints) -> Ints:
        """The places of parameters among entries."""
        return self.adapter.trained_among(entries)
