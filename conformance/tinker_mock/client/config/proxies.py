"""Proxies: a URL, or (scheme, host, port)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from tinker_mock.client.errors import invalid

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where requests go through. Credentials travel in `headers`, hidden from the repr."""

    scheme: str
    host: str
    port: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


def parse_proxy(
    value: str | Sequence[object] | None, headers: Sequence[tuple[str, str]] = ()
) -> Proxy | None:
    """Read a proxy setting; user and password in a URL become a Basic authorization header.

    Raises `ValidationError` for another scheme, a missing host or a port outside 1–65535.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _from_url(value, tuple(headers))
    parts = list(value)
    if len(parts) == 3:
        scheme, host, port = parts
        if scheme in _DEFAULT_PORTS and isinstance(host, str) and host and _is_port(port):
            return Proxy(str(scheme), host, int(str(port)), tuple(headers))
    raise invalid(f"proxy must be (http|https, host, port 1-65535) or a URL, got {parts!r}")


def _from_url(url: str, headers: tuple[tuple[str, str], ...]) -> Proxy:
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError as error:
        raise invalid(f"proxy must be a URL string or (scheme, host, port): {error}") from None
    if not split.scheme or not split.hostname:
        raise invalid("proxy must be a URL string or (scheme, host, port), e.g. http://host:8080")
    if split.scheme not in _DEFAULT_PORTS:
        raise invalid(f"proxy URL scheme must be http or https, got {split.scheme!r}")
    if split.username is not None:
        credentials = f"{unquote(split.username)}:{unquote(split.password or '')}"
        token = base64.b64encode(credentials.encode()).decode()
        headers = (("proxy-authorization", f"Basic {token}"), *headers)
    return Proxy(split.scheme, split.hostname, port or _DEFAULT_PORTS[split.scheme], headers)


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536
