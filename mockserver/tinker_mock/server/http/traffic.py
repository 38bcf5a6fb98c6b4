"""What requests meet on their way, beside whoever answers them."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from tinker_mock.contracts import Contract
from tinker_mock.server.clock import Clock
from tinker_mock.server.faults.injector import FaultInjector
from tinker_mock.server.http.response_check import judge_answer
from tinker_mock.server.journal import Journal
from tinker_mock.server.mutants import ActiveMutants
from tinker_mock.server.service.compute import Compute
from tinker_mock.server.wire.exchange import Answer, Exchange, Send


class Traffic(Protocol):
    """The places of the endpoint's path where something may come in between, in their order."""

    def watch(self, exchange: Exchange) -> AbstractContextManager[None]:
        """Around everything: from before anything can fail until the answer is delivered."""

    async def before(self, exchange: Exchange) -> Answer | None:
        """May wait, and may answer itself."""

    def deliveries(self, exchange: Exchange) -> int:
        """How often whoever answers is asked."""

    def prepare(self, exchange: Exchange) -> None:
        """May change the decoded request."""

    async def after(self, exchange: Exchange, answer: Answer) -> Answer:
        """Sees the answer, and may change it."""

    async def send(self, exchange: Exchange, answer: Answer, send: Send) -> None:
        """Put the answer on the wire."""


class PlainTraffic:
    """Nothing comes in between: the control API."""

    def watch(self, exchange: Exchange) -> AbstractContextManager[None]:
        return nullcontext()

    async def before(self, exchange: Exchange) -> Answer | None:
        return None

    def deliveries(self, exchange: Exchange) -> int:
        return 1

    def prepare(self, exchange: Exchange) -> None:
        pass

    async def after(self, exchange: Exchange, answer: Answer) -> Answer:
        return answer

    async def send(self, exchange: Exchange, answer: Answer, send: Send) -> None:
        await answer.send(send)


class _Watched:
    """An exchange in the journal, during which the clock does not jump."""

    __slots__ = ("_busy", "_exchange", "_journal")

    def __init__(
        self, exchange: Exchange, journal: Journal, busy: AbstractContextManager[None]
    ) -> None:
        self._exchange, self._journal, self._busy = exchange, journal, busy

    def __enter__(self) -> None:
        self._journal.open(self._exchange)
        self._busy.__enter__()

    def __exit__(self, *problem: Any) -> None:
        self._busy.__exit__(*problem)
        self._journal.close(self._exchange)


class SimulatedTraffic:
    """Exchanges are journalled with a verdict, meet faults, and may break one rule."""

    def __init__(
        self,
        contract: Contract,
        clock: Clock,
        journal: Journal,
        faults: FaultInjector,
        mutants: ActiveMutants,
        compute: Compute,
    ) -> None:
        self.contract = contract
        self.clock = clock
        self.journal = journal
        self.faults = faults
        self.mutants = mutants
        self.compute = compute

    def watch(self, exchange: Exchange) -> AbstractContextManager[None]:
        return _Watched(exchange, self.journal, self.clock.busy())

    async def before(self, exchange: Exchange) -> Answer | None:
        return await self.faults.before(exchange)

    def deliveries(self, exchange: Exchange) -> int:
        return self.faults.deliveries(exchange)

    def prepare(self, exchange: Exchange) -> None:
        self.mutants.prepare(exchange)

    async def after(self, exchange: Exchange, answer: Answer) -> Answer:
        await judge_answer(exchange, answer, self.contract, self.compute)
        return self.mutants.rewrite(exchange, answer)

    async def send(self, exchange: Exchange, answer: Answer, send: Send) -> None:
        if answer.stream is not None:
            answer.stream = self.journal.recorded(exchange, answer.stream)
        await self.faults.send(exchange, answer, send)
