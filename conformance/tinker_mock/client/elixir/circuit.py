"""A circuit breaker: stop asking a server that is down, then ask again carefully."""

from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from tinker_mock.client.clock import Clock, RealClock
from tinker_mock.client.errors import Category, TinkerError, invalid

T = TypeVar("T")
State = Literal["closed", "open", "half_open"]


class CircuitOpenError(TinkerError):
    """Not sent: the circuit is open, or its probes are all out."""

    kind = "api_connection"


class CircuitBreaker:
    """Closed until `failure_threshold` failures in a row; then open for `reset_timeout` seconds;
    then half open: `half_open_max_calls` probes decide.

    User errors are successes here: they show that the server answers.
    """

    def __init__(
        self,
        *,
        failure_threshold: int = 5,
        reset_timeout: float = 30.0,
        half_open_max_calls: int = 1,
        clock: Clock | None = None,
    ) -> None:
        if failure_threshold < 1 or half_open_max_calls < 1 or not reset_timeout > 0:
            raise invalid("a circuit's limits must be positive")
        self.failure_threshold = failure_threshold
        self.reset_timeout = reset_timeout
        self.half_open_max_calls = half_open_max_calls
        self._clock = clock or RealClock()
        self._failures = 0
        self._opened_at: float | None = None
        self._probes = 0

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return "closed"
        waited = self._clock.monotonic() - self._opened_at
        return "half_open" if waited >= self.reset_timeout else "open"

    async def call(
        self,
        work: Callable[[], Awaitable[T]],
        *,
        succeeded: Callable[[T], bool] = lambda result: True,
    ) -> T:
        """Run `work` if the circuit allows it. Raises `CircuitOpenError` if not.

        `succeeded` may call a result a failure, though nothing was raised.
        """
        state = self.state
        if state == "open" or (state == "half_open" and self._probes >= self.half_open_max_calls):
            raise CircuitOpenError(
                f"the circuit is {state.replace('_', ' ')}: the server failed "
                f"{self._failures} times in a row",
                category=Category.SERVER,
            )
        probing = state == "half_open"
        self._probes += probing
        try:
            result = await work()
        except TinkerError as error:
            self.record(succeeded=error.user_error)
            raise
        except Exception:
            self.record(succeeded=False)
            raise
        finally:
            self._probes -= probing
        self.record(succeeded=succeeded(result))
        return result

    def record(self, *, succeeded: bool) -> None:
        """Count one outcome."""
        if succeeded:
            self._failures, self._opened_at = 0, None
            return
        self._failures += 1
        if self._failures >= self.failure_threshold or self._opened_at is not None:
            self._opened_at = self._clock.monotonic()

    def reset(self) -> None:
        """Close the circuit, forgetting everything."""
        self.record(succeeded=True)
