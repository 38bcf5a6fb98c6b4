"""Promises and lanes as plain records: what a snapshot keeps."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from tinker_mock.server.state.tables import Record

PromiseState = Literal["queued", "running", "completed", "failed", "cancelled", "expired"]
LARGE = 1 << 20
"""Bytes of memory from which on a request is looked through in a thread."""
DONE: dict[str, Any] = {}
"""The payload of every operation that has ended."""
REPLAYED = ("forward_backward", "optim_step")
"""Operations that are done again to have a model's weights: the same from the same, and nobody but
their model is another one for it."""
OPEN: tuple[PromiseState, ...] = ("queued", "running")


@dataclass(frozen=True)
class Outcome:
    """How an operation ended: `result` when completed, `error` and `category` when failed."""

    state: PromiseState
    result: Any = None
    error: str = ""
    category: str = "unknown"


@dataclass
class Promise(Record):
    """One accepted operation. `payload` is the request in its JSON shape and is dropped
    when the operation has ended; results are encoded only when somebody asks."""

    FLEETING: ClassVar[frozenset[str]] = frozenset({"acknowledged", "polls", "started_at"})
    request_id: str
    operation: str
    tenant_id: str
    lane_id: str
    seq_id: int | None
    fingerprint: str
    payload: dict[str, Any]
    submitted_at: float
    session_id: str = ""
    model_id: str = ""
    base_model: str = ""
    sequence_ids: list[str] = field(default_factory=list)
    state: PromiseState = "queued"
    outcome: Outcome | None = None
    """Set once the work is done; visible to clients when `state` says so."""
    started_at: float | None = None
    finished_at: float | None = None
    number: int = 0
    """Position among the completions of its lane, from 1; 0 while open."""
    polls: int = 0
    acknowledged: bool = False
    """Its outcome has been read."""
    behind: int = 0
    """For one without a seq_id in an ordered lane: the highest seq_id accepted before it."""
    cycle: int | None = None
    """The clock cycle it takes part in, where the server works in cycles."""
    weight: int = 0
    """Bytes that its payload takes in memory."""

    @property
    def open(self) -> bool:
        """Not finished yet."""
        return self.state in OPEN


@dataclass
class Lane(Record):
    """The promises of one model (ordered by seq_id) or of one sampling client (unordered).

    What is waiting, accepted and completed follows from the promises; `skipped` and the counts do
    not.
    """

    FLEETING: ClassVar[frozenset[str]] = frozenset({"current"})

    id: str
    ordered: bool
    expected: int = 1
    """The next seq_id to run in an ordered lane."""
    highest: int = 0
    """The highest seq_id ever accepted."""
    completed: int = 0
    """How many promises have ended here."""
    slots: dict[int, str | None] = field(default_factory=dict)
    """seq_id -> request id waiting to run; None marks a number that will never come."""
    arrivals: dict[str, int] = field(default_factory=dict)
    """Waiting request ids without a seq_id -> the highest seq_id accepted before them."""
    submitted: dict[int, str] = field(default_factory=dict)
    """seq_id -> request id, for everything accepted that is still known."""
    current: str | None = None
    """The request id that runs now, in an ordered lane."""
    completions: dict[int, str] = field(default_factory=dict)
    """Position -> request id in order of completion, from 1; what is forgotten is missing."""

    def enter_promise(self, promise: Promise) -> None:
        """Take a promise in; in an ordered lane it waits for its turn."""
        if promise.seq_id is not None:
            self.submitted[promise.seq_id] = promise.request_id
        if not self.ordered:
            return
        if promise.seq_id:
            self.slots[promise.seq_id] = promise.request_id
        else:
            promise.behind = self.highest
            self.arrivals[promise.request_id] = promise.behind
        if promise.seq_id is not None:
            self.highest = max(self.highest, promise.seq_id)

    def complete(self, promise: Promise) -> None:
        """A promise has ended: it gets its position."""
        self.completed += 1
        promise.number = self.completed
        self.completions[promise.number] = promise.request_id

    def after(self, position: int) -> list[str]:
        """Request ids of what is known to have completed after a position."""
        first = max(position + 1, next(iter(self.completions), self.completed + 1))
        numbers = range(first, self.completed + 1)
        return [self.completions[n] for n in numbers if n in self.completions]

    def forget(self, promise: Promise) -> None:
        """A promise is not known any longer."""
        self.completions.pop(promise.number, None)
        if promise.seq_id is not None:
            self.submitted.pop(promise.seq_id, None)

    def skipped(self) -> list[int]:
        """Numbers to come that nobody will send."""
        return [number for number, request_id in self.slots.items() if request_id is None]

    def next_ready(self) -> str | None:
        """Take the next request id that may run, skipping numbers that will never come."""
        first = next(iter(self.arrivals), None)
        if first is not None and self.arrivals[first] < self.expected:
            del self.arrivals[first]
            self.touch()
            return first
        while self.expected in self.slots:
            request_id = self.slots.pop(self.expected)
            self.expected += 1
            if request_id is not None:
                return request_id
        return None

    @property
    def empty(self) -> bool:
        """Nothing waits, runs, or is known of what did."""
        known = self.submitted or self.completions
        return not (known or self.slots or self.arrivals or self.current)

    def blocked(self) -> bool:
        """Promises wait here for a number that has not arrived."""
        return self.ordered and bool(self.slots) and self.expected not in self.slots

    def give_up_gap(self) -> list[str]:
        """Stop waiting for missing numbers; returns the request ids that waited behind them."""
        waiting = [self.slots[number] for number in sorted(self.slots)]
        self.expected = max(self.slots, default=self.expected - 1) + 1
        self.slots.clear()
        return [request_id for request_id in waiting if request_id is not None]


def model_lane(model_id: str) -> str:
    """The id of the lane that a model's operations run in."""
    return f"model:{model_id}"
