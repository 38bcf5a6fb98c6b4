"""Who may steer the mock: programs of this machine, and whoever knows its key.

A web page that somebody has open must not: browsers say where a request comes from (Origin,
Sec-Fetch-Site), and a page that had its own name point here is told by the name (Host).
"""

import hmac
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from tinker_mock.server.errors import Forbidden, Unauthenticated
from tinker_mock.server.settings import Settings

KEY_HEADER = "x-tinker-mock-key"
OWN_SITES = ("", "none", "same-origin")
MOST_KNOWN = 256


class Access:
    """The rule for the control API and for the headers that bring effects."""

    def __init__(self, settings: Settings) -> None:
        self.key = settings.control_key
        named = urlsplit(settings.base_url).hostname or ""
        names = (settings.host, named, *settings.allow_host)
        self._names = {name.lower() for name in names if name}
        self._known: dict[str, bool] = {}

    def check(self, headers: Mapping[str, str]) -> None:
        """Raises Unauthenticated or Forbidden. `headers` have lower-case names."""
        if self.key is not None:
            self._check_key(headers.get(KEY_HEADER, ""))
            return
        origin = headers.get("origin")
        foreign = origin is not None and not self.is_own(urlsplit(origin).netloc)
        if foreign or headers.get("sec-fetch-site", "") not in OWN_SITES:
            raise Forbidden(
                f"Origin: {origin or 'another site'} may not steer this mock",
                pointer="header:Origin",
                rule="without a key, web pages of this machine only",
                fix="serve with --control-key and send it as X-Tinker-Mock-Key",
            )
        if not self.is_own(headers.get("host", "")):
            raise Forbidden(
                f"Host: {headers.get('host', '')!r} is no name of this mock",
                pointer="header:Host",
                rule="without a key, addresses of this machine only",
                fix="serve with --allow-host NAME or --control-key",
            )

    def is_own(self, host: str) -> bool:
        """Whether a Host header names this machine: nobody's DNS can make it mean another."""
        known = self._known.get(host)
        if known is None:
            known = self._judge(host)
            if len(self._known) < MOST_KNOWN:
                self._known[host] = known
        return known

    def _judge(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            return False
        if name in self._names:
            return True
        return is_loopback(name) or ("." not in name and ":" not in name and name != "")

    def _check_key(self, given: str) -> None:
        assert self.key is not None
        if not hmac.compare_digest(given.encode(), self.key.encode()):
            raise Unauthenticated(
                "X-Tinker-Mock-Key: missing or wrong",
                pointer="header:X-Tinker-Mock-Key",
                rule="this mock was started with a control key",
                fix="send the key given as --control-key, or printed at the start",
            )


def is_loopback(host: str) -> bool:
    """Whether an address or name can only be reached from this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
