"""Connections: how many of which kind, and which URLs share them."""

from urllib.parse import urlsplit

from tinker_mock.client.errors import invalid
from tinker_mock.client.http.call import PoolKind

_DEFAULT_PORTS = {"http": 80, "https": 443}

POOLS: dict[PoolKind, int] = {
    "session": 5,
    "training": 10,
    "sampling": 1000,
    "futures": 250,
    "telemetry": 5,
    "rest": 20,
}
"""Connections per kind. Long polls must never starve heartbeats, so kinds do not share."""


def normalize_base_url(url: str) -> str:
    """Scheme, lower-case host and a port that is not the scheme's own; no path.

    Raises `ValidationError` when there is no scheme or no host.
    """
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise invalid(f"invalid base_url: {url!r} has a bad port") from None
    if not split.scheme or not split.hostname:
        raise invalid(f"invalid base_url: {url!r} needs a scheme and a host, e.g. https://host")
    host = split.hostname.lower()
    host = f"[{host}]" if ":" in host else host
    shown = "" if port in (None, _DEFAULT_PORTS.get(split.scheme)) else f":{port}"
    return f"{split.scheme}://{host}{shown}"
