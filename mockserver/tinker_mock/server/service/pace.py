"""How long work of one kind takes, so that what is short need not be handed to a thread."""

from math import inf

BLINK = 0.002
"""Seconds for which the event loop may stand still."""
SMALL = 8192
"""Nothing with so many numbers is done on the loop, however fast it went so far."""
DOUBT = 8
"""A slower time than before counts so much less: the machine may have been busy otherwise."""


class Pace:
    """Seconds a number, as work of its kind took lately at its fastest. Unknown at first: then
    nothing is short."""

    def __init__(self) -> None:
        self.rate = inf

    def short(self, size: int) -> bool:
        """Whether work on so many numbers will be over in a blink."""
        return 0 < size < SMALL and size * self.rate < BLINK

    def note(self, size: int, seconds: float) -> None:
        """Work on so many numbers took that long."""
        if size > 0:
            rate = seconds / size
            slower = rate > self.rate
            self.rate = self.rate + (rate - self.rate) / DOUBT if slower else rate
