"""Checkpoints: named, owned, expiring, published."""

import re
from typing import Any

from tinker_mock.server.errors import BadRequest, Forbidden, NameTaken, NotFound
from tinker_mock.server.service.audit import record
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.roles import shares_project
from tinker_mock.server.service.times import wire_time
from tinker_mock.server.state.records import (
    FOLDERS,
    Checkpoint,
    CheckpointKind,
    Tenant,
    TrainingRun,
)

KINDS = {folder: kind for kind, folder in FOLDERS.items()}
PATH = re.compile(r"tinker://([^/]+)/(weights|sampler_weights|external_weights)/([^/]+)$")


def path_of(run_id: str, kind: CheckpointKind, name: str) -> str:
    """`tinker://run/folder/name`."""
    return f"tinker://{run_id}/{FOLDERS[kind]}/{name}"


def check_path(path: str, pointer: str) -> None:
    """Raise BadRequest unless the path has the form of a checkpoint's."""
    if not PATH.match(path):
        raise BadRequest(
            f"{pointer.strip('/')}: {path!r} is no checkpoint path",
            pointer=pointer,
            rule="tinker://<training run>/<weights|sampler_weights|external_weights>/<name>",
            fix="use the path that save_weights returned",
        )


def find(backend: Backend, path: str, pointer: str = "/path") -> Checkpoint:
    """Any tenant's checkpoint that has not expired; raises BadRequest or NotFound."""
    check_path(path, pointer)
    checkpoint = backend.state.checkpoints.get(path)
    if checkpoint is not None and expired(backend, checkpoint):
        _remove_expired(backend, checkpoint)
        checkpoint = None
    if checkpoint is None:
        raise missing(path, pointer)
    return checkpoint


def readable(
    backend: Backend,
    tenant: Tenant,
    path: str,
    pointer: str = "/path",
    access_token: str | None = None,
) -> Checkpoint:
    """A checkpoint the tenant may read: its own, a published one, one of a project it is in, or
    one of the account that the access token (an API key or JWT) belongs to. Raises NotFound, or
    Forbidden for one that is private or a token of another account."""
    checkpoint = find(backend, path, pointer)
    if may_read(backend, tenant, checkpoint):
        return checkpoint
    if access_token is None:
        raise private(path, pointer)
    granted = backend.authenticator.tenant(access_token)
    if granted.id != checkpoint.tenant_id:
        raise Forbidden(
            "weights_access_token: the token's account cannot read this checkpoint",
            pointer="/weights_access_token",
            rule="the token is a credential of the account that owns the checkpoint",
            fix="use a credential of the owner, or ask the owner to publish the checkpoint",
        )
    return checkpoint


def may_read(backend: Backend, tenant: Tenant, checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is the tenant's own, public, or in a project it shares."""
    if checkpoint.public or checkpoint.tenant_id == tenant.id:
        return True
    owner = backend.state.tenants[checkpoint.tenant_id]
    return shares_project(tenant, owner, checkpoint.project_id)


def owned(backend: Backend, tenant: Tenant, run_id: str, kind: str, name: str) -> Checkpoint:
    """The tenant's own checkpoint; raises NotFound, or Forbidden for somebody's published one."""
    path = path_of(run_id, KINDS[kind], name)
    checkpoint = find(backend, path, "path")
    if checkpoint.tenant_id == tenant.id:
        return checkpoint
    if checkpoint.public:
        raise Forbidden(f"{path} belongs to another account", rule="only owners change checkpoints")
    raise missing(path, "path")


def check_name(
    backend: Backend, run_id: str, kind: CheckpointKind, name: str, overwrite: bool = False
) -> None:
    """Raise NameTaken when the run has a checkpoint of that kind and name, unless `overwrite`."""
    there = backend.state.checkpoints.get(path_of(run_id, kind, name))
    if there is not None and not overwrite and not expired(backend, there):
        raise name_taken(run_id, kind, name)


def name_taken(run_id: str, kind: CheckpointKind, name: str) -> NameTaken:
    """The refusal of a name, in the service's words."""
    replacing = " (save_state: or overwrite=True)" if kind == "training" else ""
    return NameTaken(
        f"Checkpoint '{name}' already exists for model {run_id} in {FOLDERS[kind]}. "
        "Please choose a different name to avoid overwriting.",
        pointer="/path",
        rule="a run's checkpoints of one kind have different names",
        requirement="weights/save/taken",
        details={"fix": f"choose another name{replacing}", "reason": "ResourceAlreadyExists"},
    )


def private(path: str, pointer: str) -> Forbidden:
    """The refusal for somebody's checkpoint that is not published."""
    return Forbidden(
        f"{pointer.strip('/')}: checkpoint {path!r} is private",
        pointer=pointer,
        rule="the checkpoint is yours, published, or in a project that you are a member of",
        fix="ask its owner to publish it or for access to its project",
        requirement="errors/private-checkpoint/forbidden",
    )


def missing(path: str, pointer: str) -> NotFound:
    """The refusal for a checkpoint that is not there for this tenant."""
    return NotFound(
        f"{pointer.strip('/')}: no checkpoint {path!r} for this API key",
        pointer=pointer,
        rule="the checkpoint exists, has not expired, and is yours or published",
        fix="GET /api/v1/checkpoints lists your checkpoints",
        requirement="weights/load/unknown-path",
    )


def no_archive(path: str) -> NotFound:
    """The refusal for an archive of training state, where only sampler checkpoints have one."""
    return NotFound(
        f"{path} holds training state, which has no archive",
        pointer="path",
        rule="only `sampler_weights` checkpoints are downloaded",
        fix="save it with save_weights_for_sampler, or serve without the quirk "
        "sampler-archives-only",
    )


def expiry(now: float, ttl_seconds: int | None) -> float | None:
    """When a time to live is over; None never ends."""
    return None if ttl_seconds is None else now + ttl_seconds


def expired(backend: Backend, checkpoint: Checkpoint) -> bool:
    """Its time to live is over."""
    return checkpoint.expires_at is not None and backend.clock.now() >= checkpoint.expires_at


def living(backend: Backend) -> list[Checkpoint]:
    """All checkpoints that have not expired, newest first; expired ones are removed."""
    for checkpoint in list(backend.state.checkpoints.values()):
        if expired(backend, checkpoint):
            _remove_expired(backend, checkpoint)
    known = backend.state.checkpoints.values()
    found = [checkpoint for checkpoint in known if not expired(backend, checkpoint)]
    found.reverse()
    return sorted(found, key=lambda c: c.created_at, reverse=True)


def remove(backend: Backend, checkpoint: Checkpoint, action: str) -> None:
    """Delete a checkpoint and stop counting its storage."""
    del backend.state.checkpoints[checkpoint.path]
    ended = checkpoint.expires_at if action == "expire" else backend.clock.now()
    for period in backend.state.storage.values():
        if period.path == checkpoint.path and period.until is None:
            period.until = ended
    tenant = checkpoint.tenant_id
    record(backend, tenant, f"checkpoint_{action}", checkpoint.run_id, checkpoint.path)


def _remove_expired(backend: Backend, checkpoint: Checkpoint) -> None:
    if backend.store.owns(checkpoint.session_id):
        remove(backend, checkpoint, "expire")


def last_of(backend: Backend, run: TrainingRun, kind: CheckpointKind) -> Checkpoint | None:
    """The newest checkpoint of a kind of a run."""
    of_run = (c for c in living(backend) if c.run_id == run.id and c.kind == kind)
    return next(of_run, None)


def as_listed(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint as listings show it."""
    shown: dict[str, Any] = {
        "checkpoint_id": checkpoint.id,
        "checkpoint_type": checkpoint.kind,
        "time": wire_time(checkpoint.created_at),
        "tinker_path": checkpoint.path,
        "size_bytes": checkpoint.size_bytes,
        "public": checkpoint.public,
        "base_model": checkpoint.base_model,
    }
    if checkpoint.expires_at is not None:
        shown["expires_at"] = wire_time(checkpoint.expires_at)
    if checkpoint.user_metadata is not None:
        shown["user_metadata"] = checkpoint.user_metadata
    return shown
