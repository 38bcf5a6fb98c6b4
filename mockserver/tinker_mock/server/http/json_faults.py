"""What can be wrong with a JSON text."""

MOST_CONTAINERS = 1 << 18
"""Arrays and objects of a body: the interpreter looks through all that there are, again and again,
and everybody waits meanwhile. Fewer fit into what is parsed in one go."""
MOST_NAMES = 100_000
"""Of one object; fewer fit into what is parsed in one go."""


class Malformed(ValueError):
    """The text is no JSON, from this byte on."""

    def __init__(self, place: int, problem: str) -> None:
        super().__init__(problem)
        self.place = place


class TooDeep(ValueError):
    """It nests deeper than the limit."""


class TooManyContainers(ValueError):
    """It has more arrays and objects than the limit."""


class TooManyNames(ValueError):
    """An object has more names than the limit."""
