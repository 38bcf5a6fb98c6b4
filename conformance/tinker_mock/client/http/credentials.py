"""What a request proves its sender with."""

from typing import Protocol


class Credentials(Protocol):
    """Gives the value of `x-api-key`."""

    async def key(self) -> str:
        """The value to send now."""
        ...

    async def renew(self, refused: str) -> bool:
        """After a refusal: whether another try has a new value to send."""
        ...


class ApiKey:
    """The same key for ever."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def key(self) -> str:
        return self._key

    async def renew(self, refused: str) -> bool:
        return False


def is_expired_token(status: int | None, challenge: str) -> bool:
    """Whether a 401 says that the token, and only the token, is no longer good."""
    return status == 401 and 'error="invalid_token"' in challenge
