"""Short-lived tokens in place of the API key, where `client/config` asks for them."""

import asyncio
import base64
from typing import Any

import orjson

from tinker_mock.client.errors import Category, ValidationError
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.transport import Transport

_RENEW_BEFORE = 60.0


class JwtCredentials:
    """Exchanges the API key for a JWT, and again when it is about to expire or was refused."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._key = transport.config.api_key
        self._lock = asyncio.Lock()
        self._token = ""
        self._expires = 0.0

    async def key(self) -> str:
        """The current token; a new one when less than a minute is left."""
        async with self._lock:
            if self._transport.clock.now() >= self._expires - _RENEW_BEFORE:
                await self._exchange()
            return self._token

    async def renew(self, refused: str) -> bool:
        """Replace a token that was refused, unless somebody else just did."""
        async with self._lock:
            if self._token == refused:
                await self._exchange()
        return True

    async def _exchange(self) -> None:
        call = Call(
            "POST",
            "/api/v1/auth/token",
            json={},
            headers={"x-api-key": self._key},
            pool="session",
        )
        token = (await self._transport.send(call)).json().get("jwt")
        self._expires = float(token_claims(token)["exp"])
        self._token = token


def token_claims(token: Any) -> dict[str, Any]:
    """The payload of a JWT; its signature is the server's business.

    Raises `ValidationError` unless there are three parts and a numeric `exp`.
    """
    try:
        _, payload, _ = token.split(".")
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        float(claims["exp"])
    except (AttributeError, ValueError, KeyError, TypeError) as error:
        raise ValidationError(
            f"auth/token: no JWT with an expiry: {error}", category=Category.SERVER
        ) from None
    return dict(claims)
