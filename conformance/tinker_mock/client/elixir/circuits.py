"""One circuit breaker per endpoint, made when it is first asked for."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from tinker_mock.client.clock import Clock, RealClock
from tinker_mock.client.elixir.circuit import CircuitBreaker, State

T = TypeVar("T")


class CircuitRegistry:
    """Breakers by name; all with the same limits."""

    def __init__(
        self,
        *,
        failure_threshold: int = 5,
        reset_timeout: float = 30.0,
        half_open_max_calls: int = 1,
        clock: Clock | None = None,
    ) -> None:
        self._make = partial(
            CircuitBreaker,
            failure_threshold=failure_threshold,
            reset_timeout=reset_timeout,
            half_open_max_calls=half_open_max_calls,
            clock=clock or RealClock(),
        )
        self._breakers: dict[str, CircuitBreaker] = {}

    def breaker(self, name: str) -> CircuitBreaker:
        """The breaker of an endpoint."""
        if name not in self._breakers:
            self._breakers[name] = self._make()
        return self._breakers[name]

    async def call(
        self,
        name: str,
        work: Callable[[], Awaitable[T]],
        *,
        succeeded: Callable[[T], bool] = lambda result: True,
    ) -> T:
        """Run `work` if the endpoint's circuit allows it. Raises `CircuitOpenError` if not."""
        return await self.breaker(name).call(work, succeeded=succeeded)

    def state(self, name: str) -> State:
        """An endpoint's circuit; closed where nobody has asked yet."""
        known = self._breakers.get(name)
        return "closed" if known is None else known.state

    def delete(self, name: str) -> None:
        """Forget an endpoint."""
        self._breakers.pop(name, None)

    def states(self) -> dict[str, State]:
        """Every endpoint asked so far, with its circuit's state."""
        return {name: one.state for name, one in self._breakers.items()}

    def reset(self, name: str | None = None) -> None:
        """Close one circuit, or all."""
        for one in [self.breaker(name)] if name is not None else list(self._breakers.values()):
            one.reset()
