"""Everything a server run can be told, in one immutable record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_PORT = 8765
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
class Settings:
    """How one server behaves. Times are seconds on the server's clock."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    seed: int = 0
    models: Path | None = None
    """YAML of models on offer, read after the shipped catalogue (same name: replaces it)."""
    scenario: str | None = None
    scripts: Any = None
    """Answers to prompts: a YAML file, a script's fields, a function from prompt to answer, or
    several of those (`scripts/sources.py`)."""
    clock: str = "real"
    """`real`, `x60` (60 times faster), `manual` or `auto` (manual, jumping from timer to timer)."""
    strict: bool = False
    """Unknown request fields are an error (422) instead of a journal note."""
    break_check: str | None = None
    fail_on: str | None = None
    control: bool = True
    control_key: str | None = None
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
    session_timeout: float = Limits.session_timeout
    gap_timeout: float = Limits.gap
    signed_url_lifetime: float = 900.0
    client_config: Mapping[str, Any] = field(default_factory=dict)
    dynamic_config: Mapping[str, Any] = field(default_factory=dict)
    jwt_lifetime: float = 3600.0
    workers: int = 2
    """Threads that run engine work."""
    journal_size: int = 10_000

    @property
    def limits(self) -> Limits:
        """The limits that hold unless a scenario says otherwise."""
        return Limits(self.long_poll, self.result_retention, self.gap_timeout, self.session_timeout)
