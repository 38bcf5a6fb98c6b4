"""The pipeline's optional stages, as protocols with a version that does nothing.

`journal`, `faults` and `mutants` supply the real ones.
"""

from typing import Protocol

from tinker_mock.server.wire.exchange import Answer, Exchange, Send


class Journal(Protocol):
    """Remembers exchanges. `open` comes before anything can fail, `close` always follows."""

    def open(self, exchange: Exchange) -> None: ...

    def close(self, exchange: Exchange) -> None: ...


class Faults(Protocol):
    """Bad days. `before` may wait and may answer itself, `deliveries` says how often the request
    is handed to the service, `send` puts the answer on the wire."""

    async def before(self, exchange: Exchange) -> Answer | None: ...

    def deliveries(self, exchange: Exchange) -> int: ...

    async def send(self, exchange: Exchange, answer: Answer, send: Send) -> None: ...


class Mutants(Protocol):
    """Breaks exactly one rule: `prepare` changes requests, `rewrite` answers; services may ask."""

    def broken(self, check: str) -> bool: ...

    def prepare(self, exchange: Exchange) -> None: ...

    def rewrite(self, exchange: Exchange, answer: Answer) -> Answer: ...


class NoJournal:
    """Forgets everything."""

    def open(self, exchange: Exchange) -> None:
        """Nothing to remember."""

    def close(self, exchange: Exchange) -> None:
        """Nothing to remember."""


class NoFaults:
    """Every day is a good day."""

    async def before(self, exchange: Exchange) -> Answer | None:
        """Let the request through."""
        return None

    def deliveries(self, exchange: Exchange) -> int:
        """Once."""
        return 1

    async def send(self, exchange: Exchange, answer: Answer, send: Send) -> None:
        """Deliver the answer whole and at once."""
        await answer.send(send)


class NoMutants:
    """Keeps every rule."""

    def broken(self, check: str) -> bool:
        """No check is broken."""
        return False

    def prepare(self, exchange: Exchange) -> None:
        """Leave the request as it is."""

    def rewrite(self, exchange: Exchange, answer: Answer) -> Answer:
        """The answer as it is."""
        return answer
