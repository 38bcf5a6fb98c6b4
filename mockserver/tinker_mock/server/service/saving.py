"""Work of the operations that write and read checkpoints."""

from typing import Any

from tinker_mock.server.engine import Weights, export_state, load_state
from tinker_mock.server.errors import OperationFailed
from tinker_mock.server.service import checkpoints
from tinker_mock.server.service.audit import record
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.encryption import check_recipients
from tinker_mock.server.service.external import files_size
from tinker_mock.server.service.sampling import open_sampler
from tinker_mock.server.service.stored_arrays import arrays_of
from tinker_mock.server.service.trainers import make_trainer, trainer_of
from tinker_mock.server.service.usage import bill
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.records import Checkpoint, CheckpointKind, StoragePeriod, TrainingRun


async def save_weights(backend: Backend, promise: Promise) -> dict[str, Any]:
    """Work of save_weights: weights with optimizer state, under a name of the run."""
    body, run = promise.payload, backend.state.runs[promise.model_id]
    name = body.get("path") or f"seq-{promise.seq_id or 0:06d}"
    path = checkpoints.path_of(run.id, "training", name)
    overwrite = body.get("overwrite", False)
    checkpoints.check_name(backend, run.id, "training", name, overwrite)
    trainer = trainer_of(run)
    weights, arrays = await backend.compute(lambda: (trainer.snapshot(), export_state(trainer)))
    store(backend, await new_checkpoint(backend, run, "training", name, body, weights, arrays))
    return {"path": path, "type": "save_weights"}


async def save_weights_for_sampler(backend: Backend, promise: Promise) -> dict[str, Any]:
    """Work of save_weights_for_sampler: a named checkpoint, or a sampling session at once."""
    body, run = promise.payload, backend.state.runs[promise.model_id]
    trainer = trainer_of(run)
    weights = await backend.compute(trainer.snapshot)
    if body.get("path") is None:
        number = body.get("sampling_session_seq_id")
        session = backend.state.sessions[run.session_id]
        sampler = open_sampler(backend, session, number, run.base_model, body, weights=weights)
        sampler.run_id, sampler.kind = run.id, body.get("kind", "snapshot")
        return {"sampling_session_id": sampler.id, "type": "save_weights_for_sampler"}
    path = checkpoints.path_of(run.id, "sampler", body["path"])
    checkpoints.check_name(backend, run.id, "sampler", body["path"])
    store(backend, await new_checkpoint(backend, run, "sampler", body["path"], body, weights, {}))
    return {"path": path, "type": "save_weights_for_sampler"}


async def save_weights_external(backend: Backend, promise: Promise) -> dict[str, Any]:
    """Work of save_weights_external: adapter files ready for download, encrypted on request."""
    body, run = promise.payload, backend.state.runs[promise.model_id]
    name = body["path"]
    checkpoints.check_name(backend, run.id, "external", name)
    trainer = trainer_of(run)
    weights, arrays = await backend.compute(lambda: (trainer.snapshot(), export_state(trainer)))
    fresh = await new_checkpoint(backend, run, "external", name, body, weights, arrays)
    recipients = body.get("age_encryption_recipients") or []
    check_recipients(recipients)
    fresh.recipients = list(recipients)
    store(backend, fresh)
    return {"path": fresh.path, "size_bytes": fresh.size_bytes, "type": "save_weights_external"}


async def load_weights(backend: Backend, promise: Promise) -> dict[str, Any]:
    """Work of load_weights, into a fresh model or as the creation of one."""
    body, run = promise.payload, backend.state.runs[promise.model_id]
    tenant = backend.state.tenants[promise.tenant_id]
    token = body.get("weights_access_token")
    source = checkpoints.readable(backend, tenant, body["path"], access_token=token)
    if run.trainer is None:
        run.trainer = await make_trainer(backend, run)
    trainer, with_optimizer = run.trainer, body["optimizer"]
    if with_optimizer and not source.arrays:
        raise OperationFailed(
            f"optimizer: {source.path} is a sampler checkpoint and holds no optimizer state; "
            "load it with optimizer false, or load a checkpoint that save_weights wrote"
        )
    lasting = backend.store.keeper is not None

    def work() -> dict[str, Any] | None:
        load_state(trainer, arrays_of(source), with_optimizer)
        return export_state(trainer) if lasting else None

    run.kept, run.replay = await backend.compute(work), []
    run.loaded_from = source.path
    record(backend, tenant, "checkpoint_read", run.id, source.path, purpose="training")
    return {"path": source.path, "model_id": run.id, "type": "load_weights"}


async def new_checkpoint(
    backend: Backend,
    run: TrainingRun,
    kind: CheckpointKind,
    name: str,
    body: dict[str, Any],
    weights: Weights,
    arrays: dict[str, Any],
) -> Checkpoint:
    """A checkpoint of a run as it is now."""
    now = backend.clock.now()
    fresh = Checkpoint(
        path=checkpoints.path_of(run.id, kind, name),
        run_id=run.id,
        name=name,
        kind=kind,
        tenant_id=run.tenant_id,
        project_id=backend.state.sessions[run.session_id].project_id,
        session_id=run.session_id,
        created_at=now,
        size_bytes=0,
        base_model=run.base_model,
        rank=run.rank,
        step=run.steps,
        train_attn=run.train_attn,
        train_mlp=run.train_mlp,
        train_unembed=run.train_unembed,
        optimizer_config=dict(run.optimizer_config),
        user_metadata=body.get("user_metadata"),
        expires_at=checkpoints.expiry(now, body.get("ttl_seconds")),
        arrays=arrays,
        weights=weights,
    )
    fresh.size_bytes = await backend.compute(files_size, backend, fresh)
    return fresh


def store(backend: Backend, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint of a run and bill the save."""
    keep(backend, checkpoint)
    bill(backend, checkpoint.session_id, checkpoint.base_model, "checkpoint", 1)


def keep(backend: Backend, checkpoint: Checkpoint) -> None:
    """Keep a checkpoint; from now on its storage counts."""
    if checkpoint.path in backend.state.checkpoints:
        checkpoints.remove(backend, backend.state.checkpoints[checkpoint.path], "overwrite")
    backend.state.checkpoints[checkpoint.path] = checkpoint
    backend.state.storage[backend.ids.serial("storage")] = StoragePeriod(
        path=checkpoint.path,
        tenant_id=checkpoint.tenant_id,
        session_id=checkpoint.session_id,
        project_id=checkpoint.project_id,
        base_model=checkpoint.base_model,
        size_bytes=checkpoint.size_bytes,
        since=checkpoint.created_at,
    )
    tenant = checkpoint.tenant_id
    record(backend, tenant, "checkpoint_create", checkpoint.run_id, checkpoint.path)
