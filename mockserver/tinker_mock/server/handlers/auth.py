"""Keys and tokens."""

from typing import Any

from tinker_mock.server.errors import Unauthenticated
from tinker_mock.server.service.audit import record
from tinker_mock.server.service.authentication import bearer_of
from tinker_mock.server.state.records import Tenant
from tinker_mock.server.wire.exchange import Exchange


def get_auth_config(exchange: Exchange) -> dict[str, Any]:
    """The login client of command lines 0.26-0.28."""
    return {"clientId": exchange.simulator.ids.derive("oauth-client")}


def create_auth_token(exchange: Exchange) -> dict[str, Any]:
    """A JWT for the caller's key."""
    return {"jwt": exchange.simulator.authenticator.issue(exchange.owner)}


def create_api_key(exchange: Exchange) -> dict[str, Any]:
    """A new API key for whoever holds the bearer token."""
    simulator, body = exchange.simulator, exchange.body
    bearer = bearer_of(exchange.headers)
    if not bearer:
        raise Unauthenticated(
            "Authorization: no bearer token was sent",
            pointer="header:Authorization",
            rule="API keys are created by a logged-in user",
            fix="send Authorization: Bearer <access token>",
        )
    key = "tml-" + simulator.ids.next("api-key", bearer).replace("-", "")
    tenant = simulator.authenticator.register(key)
    tenant.key_name, tenant.key_note = body["name"], body["note"]
    record(simulator, tenant, "apikey.created", details={"name": tenant.key_name})
    return {"api_key": key, "id": tenant.key_id, "details": _details(tenant)}


def get_my_api_key(exchange: Exchange) -> dict[str, Any]:
    """The key that was sent."""
    tenant = exchange.owner
    return {
        "key_id": tenant.key_id,
        "name": tenant.key_name,
        "note": tenant.key_note,
        "details": _details(tenant),
    }


def delete_my_api_key(exchange: Exchange) -> dict[str, Any]:
    """Revoke the key that was sent."""
    exchange.owner.revoked = True
    record(exchange.simulator, exchange.owner, "apikey.deleted")
    return {}


def _details(tenant: Tenant) -> dict[str, Any]:
    return {
        "org_details": {"name": tenant.organization_id},
        "user_details": {"email": tenant.email},
    }
