"""Credentials to tenants: API keys, and JWTs exchanged for them."""

import base64
import hashlib
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

import orjson

from tinker_mock.server.clock import Clock
from tinker_mock.server.errors import ConfigurationError, Unauthenticated
from tinker_mock.server.service.roles import Grant
from tinker_mock.server.signer import Signer
from tinker_mock.server.state.records import Tenant
from tinker_mock.server.state.store import Store

KEY_PREFIX, JWT_PREFIX = "tml-", "eyJ"
FIX = "send the key in the X-API-Key header (text endpoints also take Authorization: Bearer)"


class Authenticator:
    """Finds the tenant of a request. Every well-formed key is a tenant of its own.

    `make_room` is called before there is a new one; it may raise LimitReached. `grants` are the
    roles of keys that are not the admin of an organization of their own; raises
    ConfigurationError for one of something that is no key. `accepted` are patterns (`fw_*`) of
    further keys: those of other services that speak the protocol.
    """

    def __init__(
        self,
        store: Store,
        signer: Signer,
        clock: Clock,
        jwt_lifetime: float,
        make_room: Callable[[], None],
        grants: Iterable[Grant] = (),
        accepted: Iterable[str] = (),
    ) -> None:
        self.accepted = tuple(accepted)
        self.grants = {grant.key: grant for grant in grants}
        for grant in self.grants.values():
            check_grant(grant)
        self.store = store
        self.make_room = make_room
        self.signer = signer
        self.clock = clock
        self.jwt_lifetime = jwt_lifetime

    def tenant(self, credential: str) -> Tenant:
        """The tenant of a credential, an API key or a JWT; raises Unauthenticated."""
        credential = credential.strip()
        if not credential:
            raise _refused("no API key was sent", "a credential is required")
        if is_key(credential) or self._is_accepted(credential):
            return self._usable(self._tenant_of_key(credential))
        if credential.count(".") == 2:
            return self._usable(self._tenant_of_jwt(credential))
        raise _refused(
            f"the API key does not start with {KEY_PREFIX!r}",
            f"a credential is an API key ({KEY_PREFIX}…) or a JWT this server issued",
        )

    def _is_accepted(self, credential: str) -> bool:
        """Whether it is a key of another service; what begins like a JWT is none."""
        strange = not credential.startswith(JWT_PREFIX)
        return strange and any(fnmatchcase(credential, one) for one in self.accepted)

    def issue(self, tenant: Tenant) -> str:
        """A signed JWT for a tenant, valid for the configured lifetime."""
        now = int(self.clock.now())
        claims = {
            "sub": tenant.id,
            "email": tenant.email,
            "name": tenant.name,
            "org_id": tenant.organization_id,
            "iat": now,
            "exp": now + int(self.jwt_lifetime),
        }
        head = _segment(orjson.dumps({"alg": "HS256", "typ": "JWT"}))
        signed = f"{head}.{_segment(orjson.dumps(claims))}"
        return f"{signed}.{_segment(self.signer.digest('jwt', signed))}"

    def register(self, key: str) -> Tenant:
        """The tenant of a raw key, made when the key is new."""
        return self._tenant_of_key(key)

    def _tenant_of_key(self, key: str) -> Tenant:
        digest = hashlib.sha256(key.encode()).hexdigest()
        tenant_id = f"user-{digest[:12]}"
        tenant = self.store.current.tenants.get(tenant_id)
        if tenant is None:
            self.make_room()
            tenant = Tenant(
                id=tenant_id,
                key_id=int(digest[:8], 16),
                key_name=f"{key[:8]}…",
                name=f"User {digest[:6]}",
                email=f"{tenant_id}@mock.invalid",
                organization_id=f"org-{digest[12:24]}",
                default_project_id=f"project-{digest[24:36]}",
                created_at=self.clock.now(),
            )
            self.store.current.tenants[tenant_id] = tenant
            if key in self.grants:
                self._apply(tenant, self.grants[key])
        return tenant

    def give(self, grant: Grant) -> Tenant:
        """Give a key another role from now on; raises ConfigurationError for what is no key."""
        check_grant(grant)
        self.grants[grant.key] = grant
        tenant = self._tenant_of_key(grant.key)
        self._apply(tenant, grant)
        return tenant

    def _apply(self, tenant: Tenant, grant: Grant) -> None:
        tenant.role = grant.role
        if grant.organization_of is not None:
            owner = self._tenant_of_key(grant.organization_of)
            tenant.organization_id = owner.organization_id
            tenant.default_project_id = owner.default_project_id

    def _tenant_of_jwt(self, token: str) -> Tenant:
        signed, _, signature = token.rpartition(".")
        claims = _claims(signed.partition(".")[2])
        if claims is None or not self.signer.genuine(_bytes(signature), "jwt", signed):
            raise _invalid_token("the JWT was not issued by this server")
        if claims.get("exp", 0) <= self.clock.now():
            raise _invalid_token("the JWT has expired")
        tenant = self.store.current.tenants.get(claims.get("sub", ""))
        if tenant is None:
            raise _invalid_token("the JWT's subject is unknown")
        return tenant

    def _usable(self, tenant: Tenant) -> Tenant:
        if tenant.revoked:
            raise _refused("the API key was deleted", "a deleted key is no credential any more")
        return tenant


def is_key(text: str) -> bool:
    """Whether a text has the form of an API key."""
    return text.startswith(KEY_PREFIX) and len(text) > len(KEY_PREFIX)


def check_grant(grant: Grant) -> None:
    """Raise ConfigurationError unless a grant names keys."""
    for key in filter(None, (grant.key, grant.organization_of)):
        if not is_key(key):
            raise ConfigurationError(f"{key!r} is no API key: keys start with {KEY_PREFIX}")


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(segment: str) -> bytes:
    """What a segment stands for; nothing for one that is not written as `_segment` writes it."""
    try:
        data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        return b""
    return data if _segment(data) == segment else b""


def _claims(segment: str) -> dict[str, Any] | None:
    try:
        claims = orjson.loads(_bytes(segment))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def _refused(message: str, rule: str) -> Unauthenticated:
    return Unauthenticated(
        f"X-API-Key: {message}",
        pointer="header:X-API-Key",
        rule=rule,
        fix=FIX,
        requirement="auth/refusal/status",
    )


def _invalid_token(message: str) -> Unauthenticated:
    error = _refused(message, "a JWT is valid until its exp and only with this server's signature")
    error.headers = {
        "WWW-Authenticate": f'Bearer error="invalid_token", error_description="{message}"'
    }
    return error
