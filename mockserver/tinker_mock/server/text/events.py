"""What happens in an assistant turn, before any API gives it its shape."""

from dataclasses import dataclass

from tinker_mock.server.text.generation import Token


@dataclass(frozen=True)
class TextDelta:
    """More content, or more reasoning."""

    text: str
    tokens: tuple[Token, ...] = ()
    thinking: bool = False


@dataclass(frozen=True)
class CallBegun:
    """Call `number` begins."""

    number: int
    id: str
    name: str


@dataclass(frozen=True)
class CallArguments:
    """More of call `number`'s JSON."""

    number: int
    text: str


@dataclass(frozen=True)
class Ended:
    """The turn is over: "stop", "length" or "tool_calls"; tokens as counted."""

    reason: str
    stop: str | None = None
    tokens: int = 0
    thoughts: int = 0


Event = TextDelta | CallBegun | CallArguments | Ended
