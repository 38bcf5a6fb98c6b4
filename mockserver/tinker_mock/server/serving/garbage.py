"""The garbage collector, so that it never stops everybody for long.

A full collection walks over every object there is while nobody else can go on: a third of a second
with a million of them, whoever made them. So what has survived two, or one that found nothing, is
left out of the next (frozen), which then walks over what came since. What is frozen ends with its
last reference, as ever; only circles have to wait, until twice as much is frozen as when all was
looked at last.
"""

import gc

OFTEN = (2_000, 10, 2)
"""Objects made, and collections of the younger, before a generation is collected: thousands of
promises would be walked over again and again."""
YOUNGEST, OLDEST = 0, 2
COUNTED_EVERY = 500
"""Collections of the youngest after which something is frozen; counting what is frozen walks over
it as well."""
LEAST = 500_000
"""Objects that may be frozen before all are looked at again."""


class Collector:
    """Freezes what survives. One for a process."""

    def __init__(self) -> None:
        self._most = LEAST
        self._passes = 0
        self._all = False
        """The next full collection looks at everything; until then nothing is frozen."""

    def begin(self) -> None:
        """What is there now stays until the end: hardly anything that a start makes is garbage."""
        gc.freeze()
        gc.set_threshold(*OFTEN)
        gc.enable()
        gc.callbacks.append(self.collected)

    def collected(self, phase: str, info: dict[str, int]) -> None:
        """Called by the collector, in whatever thread it ran."""
        generation = info["generation"]
        if phase != "stop" or (self._all and generation != OLDEST):
            return
        if generation == YOUNGEST and info["collected"]:
            return  # circles are being made, and some of them may only just be in use
        gc.freeze()
        if self._all:
            self._all = False
            self._most = max(LEAST, 2 * gc.get_freeze_count())
        self._passes += 1 if generation == YOUNGEST else OFTEN[1]
        if self._passes >= COUNTED_EVERY:
            self._passes = 0
            self._all = gc.get_freeze_count() > self._most
            if self._all:
                gc.unfreeze()
