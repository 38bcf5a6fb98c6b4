"""The environment variables a client reads, as one typed snapshot.

Strings are trimmed and blank ones count as unset. What cannot be understood falls back to the
default instead of stopping a training run.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_LOG_LEVELS = {
    "debug": "debug",
    "info": "info",
    "warn": "warn",
    "warning": "warn",
    "error": "error",
}
_PARITIES = {"python": "python", "beam": "beam", "elixir": "beam"}


@dataclass(frozen=True, slots=True)
class Environment:
    """`TINKER_*`, `TINKEX_*` and `CLOUDFLARE_ACCESS_*`, parsed. `None` means unset."""

    api_key: str | None = field(default=None, repr=False)
    base_url: str | None = None
    tags: tuple[str, ...] = ()
    feature_gates: tuple[str, ...] = ("async_sampling",)
    telemetry_enabled: bool = True
    log_level: str | None = None
    cf_access_client_id: str | None = None
    cf_access_client_secret: str | None = field(default=None, repr=False)
    dump_headers: bool = False
    parity: str | None = None
    pool_size: int | None = None
    pool_count: int | None = None
    proxy: str | None = field(default=None, repr=False)
    proxy_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    default_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    default_query: Mapping[str, str] = field(default_factory=dict)
    http_client: str | None = None
    http_pool: str | None = None
    credential_command: str | None = field(default=None, repr=False)
    preset: str | None = None
    project_id: str | None = None
    poll_backoff: str | None = None
    otel_propagate: bool = False


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Read a snapshot from `variables`, by default from the process's environment."""
    source = os.environ if variables is None else variables

    def text(name: str) -> str | None:
        return clean(source.get(name))

    return Environment(
        api_key=text("TINKER_API_KEY"),
        base_url=text("TINKER_BASE_URL"),
        tags=parse_list(text("TINKER_TAGS")) or (),
        feature_gates=parse_list(text("TINKER_FEATURE_GATES")) or ("async_sampling",),
        telemetry_enabled=parse_bool(text("TINKER_TELEMETRY"), default=True),
        log_level=parse_log_level(text("TINKER_LOG")),
        cf_access_client_id=text("CLOUDFLARE_ACCESS_CLIENT_ID"),
        cf_access_client_secret=text("CLOUDFLARE_ACCESS_CLIENT_SECRET"),
        dump_headers=parse_bool(text("TINKEX_DUMP_HEADERS"), default=False),
        parity=parse_parity(text("TINKEX_PARITY")),
        pool_size=parse_positive(text("TINKEX_POOL_SIZE")),
        pool_count=parse_positive(text("TINKEX_POOL_COUNT")),
        proxy=text("TINKEX_PROXY"),
        proxy_headers=parse_pairs(text("TINKEX_PROXY_HEADERS")),
        default_headers=parse_object(text("TINKEX_DEFAULT_HEADERS")),
        default_query=parse_object(text("TINKEX_DEFAULT_QUERY")),
        http_client=text("TINKEX_HTTP_CLIENT"),
        http_pool=text("TINKEX_HTTP_POOL"),
        credential_command=text("TINKER_CREDENTIAL_CMD"),
        preset=text("TINKER_MOCK_CLIENT_PRESET"),
        project_id=text("TINKER_PROJECT_ID"),
        poll_backoff=parse_backoff(text("TINKEX_POLL_BACKOFF")),
        otel_propagate=parse_bool(text("TINKEX_OTEL_PROPAGATE"), default=False),
    )


def clean(text: str | None) -> str | None:
    """Trim; blank is unset."""
    return (text or "").strip() or None


def parse_bool(text: str | None, *, default: bool) -> bool:
    """1/true/yes/on or 0/false/no/off in any case; anything else is the default."""
    word = (text or "").strip().lower()
    return True if word in _TRUE else False if word in _FALSE else default


def parse_list(text: str | None) -> tuple[str, ...] | None:
    """A comma list without its blanks; `None` when unset."""
    if text is None:
        return None
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_log_level(text: str | None) -> str | None:
    return _LOG_LEVELS.get((text or "").strip().lower())


def parse_parity(text: str | None) -> str | None:
    return _PARITIES.get((text or "").strip().lower())


def parse_backoff(text: str | None) -> str | None:
    """`exponential`, also for any word of agreement; else none."""
    word = (text or "").strip().lower()
    return "exponential" if word == "exponential" or word in _TRUE else None


def parse_positive(text: str | None) -> int | None:
    """A positive integer, else `None`."""
    try:
        number = int((text or "").strip())
    except ValueError:
        return None
    return number if number > 0 else None


def parse_object(text: str | None) -> dict[str, str]:
    """A JSON object with its values as strings; anything else is empty."""
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return stringify(value) if isinstance(value, dict) else {}


def parse_pairs(text: str | None) -> tuple[tuple[str, str], ...]:
    """A JSON list of [name, value] pairs; anything else is empty."""
    try:
        value = json.loads(text or "[]")
        return tuple((str(name), str(content)) for name, content in value)
    except (ValueError, TypeError):
        return ()


def stringify(values: Mapping[str, object]) -> dict[str, str]:
    """Header and query values as text; JSON's spelling for booleans."""
    return {
        str(name): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
    }
