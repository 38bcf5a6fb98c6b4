"""Everything a server run can be told, in one immutable record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_PORT = 8765
KEPT_RESULTS = 10_000
MAX_QUEUED = 2048
"""MiB."""
MAX_RESULTS = 1024
"""MiB."""
PREFIXES = ("", "/services/tinker-prod")
"""The API is served at the root and under the real service's prefix: only the host changes."""


@dataclass(frozen=True)
class Limits:
    """How long things last, in seconds on the server's clock. A scenario may change them."""

    long_poll: float = 30.0
    """A poll is held for this long."""
    retention: float = 3600.0
    """Results stay readable for this long."""
    gap: float = 600.0
    """A queued operation whose predecessor never arrives fails after this long."""
    session_timeout: float = 900.0
    """A session without heartbeat for this long is over."""


@dataclass(frozen=True)
class WorkLimits:
    """What the engine may spend on one operation."""

    threads: int = 2
    """Threads that compute at a time."""
    seconds: float = 60.0
    """Of a processor."""
    memory: int = 256
    """MiB of intermediate values."""
    tokens: int = 1 << 24
    """Read and written."""


@dataclass(frozen=True)
class BodyLimits:
    """What requests may bring, in MiB, and how long they may take to arrive."""

    body: int = 64
    """One body, decompressed."""
    in_flight: int = 1024
    """All bodies of requests under way."""
    patience: float = 30.0
    """Seconds for a small body; a large one gets more."""


@dataclass(frozen=True)
class Settings:
    """How one server behaves. Times are seconds on the server's clock."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    seed: int = 0
    secret: str | None = None
    """What links, tokens and API keys are signed with; None draws one for this run."""
    models: Path | None = None
    """YAML of models on offer, read after the shipped catalogue (same name: replaces it)."""
    include_retired: bool = False
    """Models that the service has retired are on offer all the same."""
    catalog_date: str | None = None
    """The day (YYYY-MM-DD) whose models are on offer; None: the day of the server's clock."""
    adapter_shapes: str = "real"
    """`real`: archives have the modules and shapes of the base model; `compact`: a small one."""
    scenario: str | None = None
    scripts: Any = None
    """Answers to prompts: a YAML file, a script's fields, a function from prompt to answer, or
    several of those (`scripts/sources.py`)."""
    quirks: Sequence[str] = ()
    """Names of quirks that are on: see `tinker-mock explain quirk`."""
    clock: str = "real"
    """`real`, `x60` (60 times faster), `manual` or `auto` (manual, jumping from timer to timer)."""
    keys: tuple[str, ...] = ()
    """Roles of API keys, `KEY=ROLE` or `KEY=ROLE@KEY2` for a member of KEY2's organization."""
    accept_keys: Sequence[str] = ()
    """Patterns of API keys (`fw_*`) that are as good as those that begin with tml-."""
    cycle: float | None = None
    """Seconds of a clock cycle of the worker pool; None runs work at once. A scenario's counts."""
    strict: bool = False
    """Unknown request fields are an error (422) instead of a journal note."""
    break_check: str | None = None
    fail_on: str | None = None
    control: bool = True
    control_key: str | None = None
    control_key_drawn: bool = False
    """Nobody gave the key: it has to be told."""
    allow_host: Sequence[str] = ()
    """Further names under which the control API answers without a key."""
    server: str = "hypercorn"
    certfile: Path | None = None
    keyfile: Path | None = None
    tls: bool = False
    base_url: str = ""
    """Where clients reach the server; signed URLs start with it (filled in once bound)."""
    graceful_timeout: float = 0.8
    """Seconds of the machine's time that open connections get at the end."""
    long_poll: float = Limits.long_poll
    result_retention: float = Limits.retention
    data_dir: Path | None = None
    """Where the state lasts; None keeps it in memory."""
    store: str | None = None
    """`postgresql://…`: where it lasts and is shared with other servers."""
    peer_address: str = ""
    """HOST:PORT where the other servers of the store reach this one (filled in once bound)."""
    peer_host: str = "127.0.0.1"
    kept_results: int = KEPT_RESULTS
    """Results that have been read stay readable until so many others have been read."""
    max_queued: int = MAX_QUEUED
    """MiB of requests that wait for their turn."""
    max_results: int = MAX_RESULTS
    """MiB of results that are kept; beyond, those read longest ago are not, then the oldest."""
    keep: float = 7 * 24 * 3600.0
    """Ended sessions, and the account of what was done, are kept for this long."""
    memory_limit: int | None = None
    """MiB that models under training take at most; idle ones are packed to stay below it."""
    max_tenants: int = 10_000
    max_sessions: int = 10_000
    """Sessions that are known; the oldest that have ended give way to new ones."""
    max_models: int = 10_000
    """Models, and samplers, of one session; the oldest that are over give way to new ones."""
    max_snapshots: int = 100
    session_timeout: float = Limits.session_timeout
    gap_timeout: float = Limits.gap
    signed_url_lifetime: float = 900.0
    client_config: Mapping[str, Any] = field(default_factory=dict)
    dynamic_config: Mapping[str, Any] = field(default_factory=dict)
    jwt_lifetime: float = 3600.0
    threads: int = WorkLimits.threads
    work_seconds: float = WorkLimits.seconds
    work_memory: int = WorkLimits.memory
    work_tokens: int = WorkLimits.tokens
    max_connections: int = 10_000
    """At a time; those that are idle for longest give way. Hypercorn only."""
    max_body: int = BodyLimits.body
    max_in_flight: int = BodyLimits.in_flight
    read_timeout: float = BodyLimits.patience
    journal_size: int = 10_000
    """Exchanges that are remembered; 0 for none."""
    journal_memory: int = 64
    """MiB that they take."""
    journal_body: int = 1
    """MiB of a body that is kept; of longer ones only the size."""
    log: str = "auto"
    """`text`, `json` or `off`: a line a request on standard error; `auto`: text on a terminal."""

    @property
    def limits(self) -> Limits:
        """The limits that hold unless a scenario says otherwise."""
        return Limits(self.long_poll, self.result_retention, self.gap_timeout, self.session_timeout)

    @property
    def work_limits(self) -> WorkLimits:
        """What the engine may spend on one operation."""
        return WorkLimits(self.threads, self.work_seconds, self.work_memory, self.work_tokens)

    @property
    def body_limits(self) -> BodyLimits:
        """What requests may bring."""
        return BodyLimits(self.max_body, self.max_in_flight, self.read_timeout)
