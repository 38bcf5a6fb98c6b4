"""The control API as answerer: the same endpoint, its own key, nothing journalled."""

from collections.abc import Mapping

from tinker_mock.contracts import Operation
from tinker_mock.server.access import Access
from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.control.table import HANDLERS
from tinker_mock.server.errors import ConfigurationError, ServiceError
from tinker_mock.server.wire.exchange import Answer, Exchange

NO_CONTENT = 204


class ControlAnswerer:
    """Answers what is under `/_mock`. Raises ConfigurationError if an operation has no handler."""

    def __init__(
        self, control: MockControl, access: Access, operations: Mapping[str, Operation]
    ) -> None:
        self.control = control
        self.access = access
        unbound = sorted(set(operations) ^ set(HANDLERS))
        if unbound:
            raise ConfigurationError(f"control contract and handlers differ: {', '.join(unbound)}")

    def authenticate(self, exchange: Exchange, operation: Operation) -> None:
        """Whoever may steer; two health checks are open."""
        if operation.security != []:
            self.access.check(exchange.headers)

    async def answer(self, exchange: Exchange) -> Answer:
        """What the operation's handler says."""
        assert exchange.operation is not None
        keeper = self.control.backend.store.keeper
        outcome = await HANDLERS[exchange.operation.id](self.control, exchange)
        if keeper is not None and exchange.operation.method != "GET":
            self.control.remember()
            await keeper.kept()
        if isinstance(outcome, Answer):
            return outcome
        return Answer(NO_CONTENT) if outcome is None else Answer(body=outcome)

    def refused(self, exchange: Exchange, error: ServiceError) -> None:
        """Nothing to add."""
