"""Signed links: URLs to files that work without a key, for a while."""

from urllib.parse import quote

from tinker_mock.server.errors import Forbidden, Gone
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import Checkpoint

ROUTE = "/api/v1/files"


def sign(
    backend: Backend, base_url: str, file_id: str, lifetime: float | None = None
) -> tuple[str, float]:
    """A URL for a file and when it ends (Unix seconds); by default after the configured time."""
    seconds = backend.settings.signed_url_lifetime if lifetime is None else lifetime
    expires = int(backend.clock.now() + seconds)
    signature = backend.signer.digest("link", file_id, expires).hex()
    url = f"{base_url}{ROUTE}/{quote(file_id, safe='')}?expires={expires}&signature={signature}"
    return url, float(expires)


def file_key(checkpoint: Checkpoint) -> str:
    """A checkpoint's path as one part of a file id."""
    return checkpoint.path.removeprefix("tinker://").replace("/", "!")


def archive_link(backend: Backend, base_url: str, checkpoint: Checkpoint) -> tuple[str, float]:
    """A URL for a checkpoint's archive and when it ends (Unix seconds)."""
    return sign(backend, base_url, f"archive~{file_key(checkpoint)}")


def check(backend: Backend, file_id: str, expires: int, signature: str) -> None:
    """Raise Forbidden for a link this server did not make, Gone for one whose time is over."""
    if not backend.signer.genuine(_bytes(signature), "link", file_id, expires):
        raise Forbidden(
            "signature: the link was not signed by this server",
            pointer="/signature",
            rule="links are used as they were given",
            fix="ask for a new link",
        )
    if backend.clock.now() >= expires:
        raise Gone("expires: the link's time is over", pointer="/expires", fix="ask for a new link")


def _bytes(signature: str) -> bytes:
    try:
        return bytes.fromhex(signature)
    except ValueError:
        return b""
