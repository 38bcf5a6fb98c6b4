"""Keys and tokens."""

from typing import Any

from tinker_mock.server.errors import Unauthenticated
from tinker_mock.server.service.audit import record
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import Tenant
from tinker_mock.server.wire.exchange import Exchange


def get_auth_config(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """The login client of command lines 0.26-0.28."""
    return {"clientId": backend.ids.derive("oauth-client")}


def create_auth_token(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """A JWT for the caller's key."""
    return {"jwt": backend.authenticator.issue(exchange.owner)}


def create_api_key(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """A new API key for whoever holds the bearer token."""
    body, bearer = exchange.body, exchange.bearer
    if not bearer:
        raise Unauthenticated(
            "Authorization: no bearer token was sent",
            pointer="header:Authorization",
            rule="API keys are created by a logged-in user",
            fix="send Authorization: Bearer <access token>",
        )
    number = backend.ids.count("api-key", bearer)
    key = "tml-" + backend.signer.digest("api-key", bearer, number).hex()[:32]
    tenant = backend.authenticator.register(key)
    tenant.key_name, tenant.key_note = body["name"], body["note"]
    record(backend, tenant, "apikey_create", details={"name": tenant.key_name})
    return {"api_key": key, "id": tenant.key_id, "details": _details(tenant)}


def get_my_api_key(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """The key that was sent."""
    tenant = exchange.owner
    return {
        "key_id": tenant.key_id,
        "name": tenant.key_name,
        "note": tenant.key_note,
        "details": _details(tenant),
    }


def delete_my_api_key(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Revoke the key that was sent."""
    exchange.owner.revoked = True
    record(backend, exchange.owner, "apikey_delete")
    return {}


def _details(tenant: Tenant) -> dict[str, Any]:
    return {
        "org_details": {"name": tenant.organization_id},
        "user_details": {"email": tenant.email},
    }
