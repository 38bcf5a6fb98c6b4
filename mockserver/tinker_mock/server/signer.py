"""Signatures that nobody can make who does not hold the server's secret.

The secret never follows from the seed, which is public: it is drawn when a server starts, or
given to it (`--secret-file`, `TINKER_MOCK_SECRET`) where two runs must agree to the byte.
"""

import hashlib
import hmac
import secrets
from pathlib import Path

from tinker_mock.server.errors import ConfigurationError

VARIABLE = "TINKER_MOCK_SECRET"
SHORTEST = 16
"""Bytes of the shortest secret that is taken."""


class Signer:
    """Signs with one secret; signatures for different purposes are never the same."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def digest(self, purpose: str, *parts: object) -> bytes:
        """32 bytes that stand for `parts`, for this purpose only."""
        text = "\x1f".join([purpose, *map(str, parts)])
        return hmac.new(self._secret, text.encode(), hashlib.sha256).digest()

    def genuine(self, signature: bytes, purpose: str, *parts: object) -> bool:
        """Whether `digest` made the signature; takes the same time either way."""
        return hmac.compare_digest(signature, self.digest(purpose, *parts))


def drawn_secret() -> bytes:
    """A new secret."""
    return secrets.token_bytes(32)


def drawn_seed() -> int:
    """A seed for a run that was given none; a double holds it exactly, as JSON readers need."""
    return secrets.randbits(53)


def checked_secret(text: str, source: str) -> str:
    """A secret that was given; raises ConfigurationError for one that can be guessed."""
    text = text.strip()
    if len(text.encode()) < SHORTEST:
        raise ConfigurationError(f"{source}: a secret has at least {SHORTEST} bytes")
    return text


def secret_from(file: Path) -> str:
    """The secret in a file; raises ConfigurationError when there is none."""
    try:
        return checked_secret(file.read_text(), f"--secret-file {file}")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--secret-file {file}: cannot be read: {error}") from error
