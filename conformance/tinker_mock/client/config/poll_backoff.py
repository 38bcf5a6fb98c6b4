"""How long to wait between polls that say "not yet", where the client is to be gentler."""

from collections.abc import Callable
from typing import Literal

from tinker_mock.client.errors import invalid

PollBackoff = bool | Literal["none", "exponential"] | tuple[float, float] | Callable[[int], float]
"""`exponential` is 1, 2, 4 … 30 s; (first, longest) sets both; a function gets the number."""

Waits = Callable[[int], float]
_FIRST, _LONGEST = 1.0, 30.0


def poll_waits(policy: "PollBackoff | None") -> Waits | None:
    """Seconds to wait after the n-th poll; `None` asks again at once.

    Raises `ValidationError` for what is no policy.
    """
    if policy in (None, False, "none"):
        return None
    if policy is True or policy == "exponential":
        policy = (_FIRST, _LONGEST)
    if callable(policy):
        return policy
    if isinstance(policy, tuple) and len(policy) == 2 and all(map(_is_time, policy)):
        first, longest = policy
        if first <= longest:
            return lambda number: min(longest, first * 2.0 ** min(number, 30))
    raise invalid(
        "poll_backoff must be 'exponential', 'none', (first, longest) in seconds, or a function "
        f"of the poll's number, got {policy!r}"
    )


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
