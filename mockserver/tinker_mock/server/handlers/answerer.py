"""The mock as answerer: a handler for every operation."""

from collections.abc import Awaitable, Mapping
from contextlib import suppress

from tinker_mock.contracts import Operation, load_contract
from tinker_mock.server.errors import NameTaken, ServiceError, StorageFull
from tinker_mock.server.handlers.table import Handler, Outcome
from tinker_mock.server.lazy_module import is_here, loaded
from tinker_mock.server.service import compute, roles
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.housekeeping import Housekeeper
from tinker_mock.server.state.promise import REPLAYED, model_lane
from tinker_mock.server.state.store import Keeper
from tinker_mock.server.wire.dialects import dialect_of
from tinker_mock.server.wire.error_hints import add_hints
from tinker_mock.server.wire.exchange import Answer, Exchange

LOGIN: list[dict[str, list[str]]] = [{"Bearer": []}]
"""Security of operations for logged-in users: the handler judges their token."""
READS = {"retrieve_future", "retrieve_futures", "get_info", "session_heartbeat"}
"""Operations that only tell, beside all that are GET."""
FINAL = {400, 403, 404, 410, 413, 415, 422}
"""Refusals that clients do not repeat."""


class MockAnswerer:
    """Answers from the state of one mock."""

    def __init__(self, backend: Backend, handlers: Mapping[str, Handler]) -> None:
        self.backend = backend
        self.handlers = handlers
        self.housekeeper = Housekeeper()
        self.text = load_contract("inference").operations

    def authenticate(self, exchange: Exchange, operation: Operation) -> None:
        """The credential's tenant, and the release that its newest session was opened with."""
        if operation.security in ([], LOGIN):
            return
        exchange.tenant = self.backend.authenticator.tenant(exchange.credential)
        exchange.dialect = dialect_of(exchange.headers, exchange.tenant.sdk_version)
        compute.tenant.set(exchange.tenant.id)

    def answer(self, exchange: Exchange) -> Answer | Awaitable[Answer]:
        """What the operation's handler says."""
        operation = exchange.operation
        assert operation is not None
        self.housekeeper.look(self.backend)
        if exchange.tenant is not None:
            roles.check(exchange.tenant, operation.id, text_endpoint=operation.id in self.text)
        if is_here(self.handlers[operation.id]):
            return self._answer(exchange, operation)
        return self._loaded(exchange, operation)

    async def _loaded(self, exchange: Exchange, operation: Operation) -> Answer:
        await loaded(self.handlers[operation.id])
        answer = self._answer(exchange, operation)
        return await answer if isinstance(answer, Awaitable) else answer

    def _answer(self, exchange: Exchange, operation: Operation) -> Answer | Awaitable[Answer]:
        keeper = self.backend.store.keeper
        if keeper is None:
            outcome = self.handlers[operation.id](self.backend, exchange)
            return _awaited(outcome) if isinstance(outcome, Awaitable) else _answer(outcome)
        keeper.expect(len(exchange.raw_body))
        reads = operation.method == "GET" or operation.id in READS
        if keeper.failure is not None and not reads:
            return self._tried(exchange, operation, keeper)
        outcome = self.handlers[operation.id](self.backend, exchange)
        if isinstance(outcome, Awaitable):
            return self._awaited(exchange, outcome, keeper, reads)
        if self._kept_now(exchange, outcome, keeper, reads):
            return _answer(outcome)
        return _kept(outcome, keeper, reads)

    async def _awaited(
        self, exchange: Exchange, outcome: Awaitable[Outcome], keeper: Keeper, reads: bool
    ) -> Answer:
        told = await outcome
        if self._comes_again(exchange, keeper):
            return _answer(told)
        return await _kept(told, keeper, reads)

    def _kept_now(self, exchange: Exchange, outcome: Outcome, keeper: Keeper, reads: bool) -> bool:
        """What the answer tells of is kept, or is only read. Raises StorageFull."""
        if self._comes_again(exchange, keeper):
            return True
        operation, promises = exchange.operation, self.backend.promises.promises
        try:
            if operation is not None and operation.id in REPLAYED and isinstance(outcome, dict):
                return keeper.keep_new(promises[outcome["request_id"]])
            return keeper.keep_now()
        except StorageFull:
            if reads:
                return True
            raise

    def _comes_again(self, exchange: Exchange, keeper: Keeper) -> bool:
        """It tells of a result that would be the same again, and of nothing else."""
        if exchange.result_of not in REPLAYED:
            return False
        promise = self.backend.promises.promises.get(exchange.body["request_id"])
        return promise is not None and keeper.comes_again(promise)

    async def _tried(self, exchange: Exchange, operation: Operation, keeper: Keeper) -> Answer:
        """Nothing new is begun while nothing can be kept. Raises StorageFull."""
        await keeper.kept()
        outcome = self.handlers[operation.id](self.backend, exchange)
        told = await outcome if isinstance(outcome, Awaitable) else outcome
        return await _kept(told, keeper, False)

    def refused(self, exchange: Exchange, error: ServiceError) -> None:
        """Say which requirement is enforced; do not wait for a number that was used up."""
        add_hints(error, exchange.operation)
        if error.status in FINAL or isinstance(error, NameTaken):
            self._skip_number(exchange)

    def _skip_number(self, exchange: Exchange) -> None:
        operation, body = exchange.operation, exchange.body
        if operation is None or not operation.ordered or not isinstance(body, dict):
            return
        model_id, seq_id = body.get("model_id"), body.get("seq_id")
        run = self.backend.state.runs.get(model_id) if isinstance(model_id, str) else None
        tenant = exchange.tenant
        if run is None or tenant is None or run.tenant_id != tenant.id:
            return
        if isinstance(seq_id, int) and seq_id > 0:
            self.backend.promises.skip(model_lane(run.id), seq_id)


async def _awaited(outcome: Awaitable[Outcome]) -> Answer:
    return _answer(await outcome)


async def _kept(told: Outcome, keeper: Keeper, reads: bool) -> Answer:
    """The answer, once everything that it may tell of is kept; what is there can be read all the
    same. Raises StorageFull."""
    with suppress(*([StorageFull] if reads else [])):
        await keeper.kept()
    return _answer(told)


def _answer(outcome: Outcome) -> Answer:
    return outcome if isinstance(outcome, Answer) else Answer(body=outcome)
