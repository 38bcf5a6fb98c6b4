"""Training runs: the models under training."""

from typing import Any

from tinker_mock.server.errors import BadRequest, Conflict, Forbidden, NotFound
from tinker_mock.server.service import checkpoints, session_room
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.times import wire_time
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.records import Session, Tenant, TrainingRun

DEFAULT_RANK, MAX_RANK = 32, 512
PARTS = ("train_unembed", "train_mlp", "train_attn")


def run_id(session: Session, model_seq_id: int) -> str:
    """The id SDKs compute for themselves: `{session}:train:{n}`."""
    return f"{session.id}:train:{model_seq_id}"


def get_run(
    backend: Backend, tenant: Tenant, model_id: str, pointer: str = "/model_id"
) -> TrainingRun:
    """The tenant's training run; raises NotFound, or Forbidden for somebody else's."""
    run = backend.state.runs.get(model_id)
    if run is not None and run.tenant_id != tenant.id:
        raise Forbidden(
            "You do not have access to this model",
            pointer=pointer,
            rule="a training run belongs to the key that created it",
            requirement="auth/isolation/work",
            details={"fix": "use the key that created the model"},
        )
    if run is None or run.lost:
        field = pointer.strip("/").replace("/", ".")
        raise NotFound(
            f"{field}: no training run {model_id!r} for this API key",
            pointer=pointer,
            rule="the id comes from create_model (or load_weights), with the same key",
            fix="create the model first",
            requirement="models/info/unknown",
        )
    return run


def new_run(
    backend: Backend, session: Session, model_seq_id: int, base_model: str, body: dict[str, Any]
) -> TrainingRun:
    """Register a training run; its trainer is made by the promised operation.

    Raises BadRequest for its rank or for no part to train, LimitReached where no more fit.
    """
    lora = body.get("lora_config") or {}
    check_rank(lora.get("rank", DEFAULT_RANK))
    check_parts(lora)
    session_room.admit_model(backend, session)
    now = backend.clock.now()
    identity = run_id(session, model_seq_id)
    seed = lora.get("seed")
    run = TrainingRun(
        id=identity,
        session_id=session.id,
        tenant_id=session.tenant_id,
        base_model=base_model,
        rank=lora.get("rank", DEFAULT_RANK),
        created_at=now,
        last_request_time=now,
        seed=backend.ids.number("lora", identity) if seed is None else seed,
        train_attn=lora.get("train_attn", True),
        train_mlp=lora.get("train_mlp", True),
        train_unembed=lora.get("train_unembed", True),
        optimizer_config=dict(body.get("optimizer_config") or {"type": "adamw"}),
        user_metadata=dict(body.get("user_metadata") or {}),
    )
    backend.state.runs[identity] = run
    session.run_ids.append(identity)
    session.touch()
    return run


def check_parts(lora: dict[str, Any]) -> None:
    """Raise BadRequest, in the service's words, for an adapter on nothing."""
    if any(lora.get(part, True) for part in PARTS):
        return
    raise BadRequest(
        "At least one of train_unembed, train_mlp, or train_attn must be True",
        pointer="/lora_config",
        rule="an adapter has a part that is trained",
        fix="leave them out for an adapter on all parts",
        requirement="models/create/no-parts",
    )


def check_rank(rank: int) -> None:
    """Raise BadRequest, in the service's words, for a rank that no adapter has."""
    if rank < 1:
        rule = "positive"
    elif rank & (rank - 1):
        rule = "a power of 2"
    elif rank > MAX_RANK:
        rule = f"at most {MAX_RANK}"
    else:
        return
    below = 1 << (min(rank, MAX_RANK).bit_length() - 1) if rank > 0 else DEFAULT_RANK
    raise BadRequest(
        f"lora_config.rank must be {rule}",
        pointer="/lora_config/rank",
        rule=rule,
        fix=f"it is {rank}: use {below}" + (f" or {2 * below}" if rule == "a power of 2" else ""),
        requirement="models/create/bad-rank",
    )


def same_creation(
    backend: Backend, session: Session, model_seq_id: int, fingerprint: str
) -> Promise | None:
    """The promise of an identical earlier creation; raises Conflict for a different one."""
    run = backend.state.runs.get(run_id(session, model_seq_id))
    if run is None:
        return None
    promise = backend.state.promises.get(creation_request(backend, run.id))
    if promise is None or promise.fingerprint != fingerprint:
        raise Conflict(
            f"model_seq_id: {model_seq_id} was already used in session {session.id!r}",
            pointer="/model_seq_id",
            rule="repeating a model_seq_id is only allowed with the same body",
            fix="use the next model_seq_id",
        )
    return promise


def creation_request(backend: Backend, model_id: str) -> str:
    """The request id of the operation that creates a run."""
    return backend.ids.derive("request", "create", model_id)


def as_listed(backend: Backend, run: TrainingRun) -> dict[str, Any]:
    """A run as listings show it."""
    last = checkpoints.last_of(backend, run, "training")
    last_sampler = checkpoints.last_of(backend, run, "sampler")
    return {
        "training_run_id": run.id,
        "base_model": run.base_model,
        "model_owner": backend.state.tenants[run.tenant_id].id,
        "is_lora": True,
        "corrupted": run.corrupted,
        "lora_rank": run.rank,
        "last_request_time": wire_time(run.last_request_time),
        "last_checkpoint": last and checkpoints.as_listed(last),
        "last_sampler_checkpoint": last_sampler and checkpoints.as_listed(last_sampler),
        "user_metadata": {k: str(v) for k, v in run.user_metadata.items()} or None,
    }
