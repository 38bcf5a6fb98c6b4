"""Roles of an organization's members, as far as they change answers.

Sources: tinker-docs, "Data model" (the project sampler) and the SDK's `AdminClient` (billing needs
admin or billing-admin, the audit log admin). Every key is the admin of an organization of its own
unless it was given another role. Members of one organization share its default project.
"""

from dataclasses import dataclass
from typing import Literal, get_args

from tinker_mock.server.errors import ConfigurationError, Forbidden
from tinker_mock.server.state.records import Role, Tenant
from tinker_mock.server.state.store import State

ROLES: tuple[str, ...] = get_args(Role)
BILLING = frozenset({"get_billing_usage", "get_checkpoint_storage_usage"})
AUDIT = frozenset({"get_audit_log"})
SAMPLING = frozenset(
    {
        "asample",
        "cancel_future",
        "create_auth_token",
        "create_sampling_session",
        "create_session",
        "finish_session",
        "get_client_config",
        "get_dynamic_config",
        "get_my_api_key",
        "get_sampler",
        "get_server_capabilities",
        "get_session",
        "healthz",
        "join_sampling_session",
        "list_sessions",
        "retrieve_future",
        "retrieve_futures",
        "send_telemetry",
        "session_heartbeat",
        "stream_sample",
    }
)
"""What a project sampler may do; the text endpoints besides."""
Allowed = Literal["admin", "admin or billing-admin", "member or admin"]


@dataclass(frozen=True)
class Grant:
    """A key, its role, and whose organization it belongs to (None: its own)."""

    key: str
    role: Role
    organization_of: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Grant":
        """Read `KEY=ROLE` or `KEY=ROLE@KEY2`; raises ConfigurationError."""
        key, sign, rest = text.partition("=")
        role, _, other = rest.partition("@")
        if not key or not sign or role not in ROLES:
            known = ", ".join(ROLES)
            raise ConfigurationError(f"{text!r}: write KEY=ROLE or KEY=ROLE@KEY2; roles: {known}")
        return cls(key, role, other or None)  # type: ignore[arg-type]


def check(tenant: Tenant, operation: str, text_endpoint: bool = False) -> None:
    """Raise Forbidden unless the tenant's role allows the operation."""
    role = tenant.role
    if operation in BILLING and role not in ("admin", "billing-admin"):
        raise _forbidden(role, operation, "admin or billing-admin")
    if operation in AUDIT and role != "admin":
        raise _forbidden(role, operation, "admin")
    if role == "project-sampler" and operation not in SAMPLING and not text_endpoint:
        raise _forbidden(role, operation, "member or admin")


def organization(state: State, tenant: Tenant) -> dict[str, Tenant]:
    """The users of a tenant's organization by id."""
    ours = tenant.organization_id
    return {one.id: one for one in state.tenants.values() if one.organization_id == ours}


def shares_project(tenant: Tenant, owner: Tenant, project_id: str) -> bool:
    """Whether the tenant may use what is in a project of the owner's organization."""
    return tenant.organization_id == owner.organization_id and project_id in (
        tenant.default_project_id,
        owner.default_project_id,
    )


def _forbidden(role: str, operation: str, wanted: Allowed) -> Forbidden:
    return Forbidden(
        f"{operation}: the role {role!r} does not allow it",
        pointer="header:X-API-Key",
        rule=f"{operation} needs the role {wanted}",
        fix="use a key of that role, or ask an admin of your organization for it",
        requirement="auth/roles",
    )
