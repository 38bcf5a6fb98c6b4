"""Checkpoint search: filters, and a cursor that survives new checkpoints."""

from typing import Any

from tinker_mock.server.errors import Forbidden
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.checkpoints import as_listed, living
from tinker_mock.server.service.roles import organization, shares_project
from tinker_mock.server.service.search import urn
from tinker_mock.server.service.times import parse_time, wire_time
from tinker_mock.server.state.records import Checkpoint, Tenant


def search(backend: Backend, tenant: Tenant, body: dict[str, Any]) -> dict[str, Any]:
    """One page of the checkpoints that fit every filter, newest first.

    Raises Forbidden for a project that the tenant cannot list.
    """
    _check_projects(backend, tenant, body.get("project_ids"))
    limit = body.get("limit", 50)
    found = [c for c in _candidates(backend, tenant, body) if _fits(c, body)]
    found.sort(key=lambda c: _place(backend, c), reverse=True)
    if body.get("cursor"):
        after = body["cursor"]
        last = (parse_time(after["last_created_at"], "/cursor"), after["last_checkpoint_uuid"])
        found = [c for c in found if _place(backend, c) < last]
    page = found[:limit]
    answer: dict[str, Any] = {"checkpoints": [as_listed(c) for c in page]}
    if len(found) > limit:
        answer["next_cursor"] = {
            "last_created_at": wire_time(page[-1].created_at),
            "last_checkpoint_uuid": _place(backend, page[-1])[1],
        }
    return answer


def _place(backend: Backend, checkpoint: Checkpoint) -> tuple[float, str]:
    """Where it stands in the order; with the precision of the wire, in which cursors come back."""
    told = parse_time(wire_time(checkpoint.created_at), "/cursor")
    return told, backend.ids.derive("checkpoint", checkpoint.path)


def _candidates(backend: Backend, tenant: Tenant, body: dict[str, Any]) -> list[Checkpoint]:
    """What the tenant can list of the asked owner's: its own, or in projects that it shares."""
    owner = body.get("owner") or {"type": "own"}
    users = {tenant.id: tenant} if owner["type"] == "own" else organization(backend.state, tenant)
    if owner["type"] == "user":
        wanted = set(owner["owner_urns"])
        users = {id_: user for id_, user in users.items() if {urn(user), id_} & wanted}
    return [
        checkpoint
        for checkpoint in living(backend)
        if checkpoint.tenant_id in users
        and (
            checkpoint.tenant_id == tenant.id
            or shares_project(tenant, users[checkpoint.tenant_id], checkpoint.project_id)
        )
    ]


def _fits(checkpoint: Checkpoint, body: dict[str, Any]) -> bool:
    metadata, wanted = checkpoint.user_metadata or {}, body.get("user_metadata") or {}
    projects, bases = body.get("project_ids"), body.get("base_models")
    return (
        (projects is None or checkpoint.project_id in projects)
        and (bases is None or checkpoint.base_model in bases)
        and body.get("checkpoint_type") in (None, checkpoint.kind)
        and all(metadata.get(key) == value for key, value in wanted.items())
    )


def _check_projects(backend: Backend, tenant: Tenant, asked: list[str] | None) -> None:
    sessions = backend.state.sessions.values()
    listable = {session.project_id for session in sessions if session.tenant_id == tenant.id}
    for project in set(asked or ()) - listable - {tenant.default_project_id}:
        raise Forbidden(
            f"project_ids: you cannot list project {project!r}",
            pointer="/project_ids",
            rule="only projects that you are a member of are searched",
            fix="leave it out, or ask for access to the project",
        )
