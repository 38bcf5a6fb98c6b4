"""Everything a server run can be told, in one immutable record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_PORT = 8765
PREFIXES = ("", "/services/tinker-prod")
"""The API is served at the root and under the real service's prefix: only the host changes."""


@dataclass(frozen=True)
class Settings:
    """How one server behaves. Times are seconds on the server's clock."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    seed: int = 0
    models: Path | None = None
    """YAML of models on offer, read after the shipped catalogue (same name: replaces it)."""
    scenario: str | None = None
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
    long_poll: float = 30.0
    result_retention: float = 3600.0
    session_timeout: float = 900.0
    """A session without heartbeat for this long is over."""
    gap_timeout: float = 600.0
    """A queued operation whose predecessor never arrives fails after this long."""
    signed_url_lifetime: float = 900.0
    client_config: Mapping[str, Any] = field(default_factory=dict)
    dynamic_config: Mapping[str, Any] = field(default_factory=dict)
    jwt_lifetime: float = 3600.0
    workers: int = 2
    """Threads that run engine work."""
    journal_size: int = 10_000
