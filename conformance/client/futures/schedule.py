"""How long to wait between two questions. Seconds."""

from .answers import Pending, TryAgain

_MAX_WAIT = 30.0
_PAUSED_WAIT = 1.0


def backoff(iteration: int) -> float:
    """1, 2, 4 … up to 30."""
    return min(2.0 ** min(iteration, 6), _MAX_WAIT)


def answered_wait(
    answer: TryAgain | Pending, iteration: int, *, long_polling: bool = False
) -> float:
    """The wait after an answer that says "not yet".

    The server's own wish comes first. A server that held the question as long as it could
    (`long_polling`) is asked again at once; else a paused queue is asked every second, another
    one with growing waits.
    """
    if isinstance(answer, TryAgain):
        if answer.retry_after_ms is not None:
            return answer.retry_after_ms / 1000
        if long_polling:
            return 0.0
        if answer.queue_state.paused:
            return _PAUSED_WAIT
    return backoff(iteration)


def connection_wait(failures: int) -> float:
    """The wait after the n-th lost connection in a row (0 = the first)."""
    return backoff(failures)
