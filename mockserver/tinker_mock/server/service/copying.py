"""Copying a checkpoint into a session or project of the caller; the weights are shared."""

from dataclasses import replace
from typing import Any

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service import checkpoints, runs, saving, sessions
from tinker_mock.server.service.audit import record
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import Checkpoint, Session, Tenant, TrainingRun


def copy_weights(
    backend: Backend,
    tenant: Tenant,
    body: dict[str, Any],
    access_token: str | None,
    idempotency_key: str,
) -> Checkpoint:
    """The copy, in a training run of its own that cannot be trained on.

    The same idempotency key gets the same copy.
    """
    source = checkpoints.readable(
        backend, tenant, body["source_path"], "/source_path", access_token
    )
    if source.kind == "external":
        raise BadRequest(
            "source_path: external weights cannot be copied",
            pointer="/source_path",
            rule="training or sampler weights",
            fix="copy the weights checkpoint it was made from",
        )
    session, number = _destination(backend, tenant, body, source, idempotency_key)
    run = _run(backend, session, number, source)
    path = checkpoints.path_of(run.id, source.kind, source.name)
    known = backend.state.checkpoints.get(path)
    if known is not None:
        return known
    now = backend.clock.now()
    copy = replace(
        source,
        path=path,
        run_id=run.id,
        tenant_id=tenant.id,
        project_id=session.project_id,
        session_id=session.id,
        created_at=now,
        expires_at=checkpoints.expiry(now, body.get("ttl_seconds")),
        public=False,
    )
    saving.store(backend, copy)
    record(backend, tenant, "checkpoint_copy", run.id, copy.path, details={"from": source.path})
    return copy


def _run(backend: Backend, session: Session, number: int, source: Checkpoint) -> TrainingRun:
    """The training run that holds the copy."""
    known = backend.state.runs.get(runs.run_id(session, number))
    if known is not None:
        return known
    like_source = {
        "lora_config": {"rank": source.rank},
        "optimizer_config": source.optimizer_config,
    }
    run = runs.new_run(backend, session, number, source.base_model, like_source)
    run.loaded_from = source.path
    return run


def _destination(
    backend: Backend,
    tenant: Tenant,
    body: dict[str, Any],
    source: Checkpoint,
    idempotency_key: str,
) -> tuple[Session, int]:
    """The session and model number the copy lives under."""
    session_id, number = body.get("session_id"), body.get("model_seq_id")
    project_id = body.get("destination_project_id")
    if session_id is not None and number is not None:
        return sessions.active_session(backend, tenant, session_id), int(number)
    if project_id is None:
        raise BadRequest(
            "destination_project_id: missing",
            pointer="/destination_project_id",
            rule="a copy goes to a project, or to a session with a model_seq_id",
            fix="send destination_project_id, or session_id and model_seq_id",
        )
    for session in backend.state.sessions.values():
        known = idempotency_key and session.user_metadata.get("copied_by") == idempotency_key
        if known and session.tenant_id == tenant.id:
            return session, 0
    request = {
        "sdk_version": "",
        "tags": ["copy_weights"],
        "project_id": project_id,
        "user_metadata": {"copied_from": source.path, "copied_by": idempotency_key},
    }
    session = sessions.create_session(backend, tenant, request)
    session.status = {"type": "client_finished", "reason": {"type": "success"}}
    session.ended_at = backend.clock.now()
    return session, 0
