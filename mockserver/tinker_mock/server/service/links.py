"""Signed links: URLs to files that work without a key, for a while."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote

from tinker_mock.server.errors import Forbidden, Gone

if TYPE_CHECKING:
    from tinker_mock.server.simulator import Simulator

ROUTE = "/api/v1/files"


def sign(simulator: Simulator, base_url: str, file_id: str) -> tuple[str, float]:
    """A URL for a file and when it ends (Unix seconds)."""
    expires = int(simulator.clock.now() + simulator.settings.signed_url_lifetime)
    signature = _signature(simulator, file_id, expires)
    url = f"{base_url}{ROUTE}/{quote(file_id, safe='')}?expires={expires}&signature={signature}"
    return url, float(expires)


def check(simulator: Simulator, file_id: str, expires: int, signature: str) -> None:
    """Raise Forbidden for a link this server did not make, Gone for one whose time is over."""
    expected = _signature(simulator, file_id, expires)
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise Forbidden(
            "signature: the link was not signed by this server",
            pointer="/signature",
            rule="links are used as they were given",
            fix="ask for a new link",
        )
    if simulator.clock.now() >= expires:
        raise Gone("expires: the link's time is over", pointer="/expires", fix="ask for a new link")


def _signature(simulator: Simulator, file_id: str, expires: int) -> str:
    secret = simulator.ids.derive("link-secret").encode()
    return hmac.new(secret, f"{file_id}:{expires}".encode(), hashlib.sha256).hexdigest()
