"""The records of the service. Times are Unix seconds; ids are what goes on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tinker_mock.server.state.tables import Record

if TYPE_CHECKING:
    from tinker_mock.server.engine import Trainer, Weights

Role = Literal["admin", "billing-admin", "member", "project-sampler"]
CheckpointKind = Literal["training", "sampler", "external"]
FOLDERS: dict[CheckpointKind, str] = {
    "training": "weights",
    "sampler": "sampler_weights",
    "external": "external_weights",
}
"""The middle part of a checkpoint's `tinker://run/folder/name` path."""


@dataclass
class Tenant(Record):
    """The holder of one API key: a user, the admin of an organization of its own by default."""

    id: str
    key_id: int
    key_name: str
    name: str
    email: str
    organization_id: str
    default_project_id: str
    created_at: float
    key_note: str = ""
    sdk_version: str = ""
    """Of its newest session, for clients whose requests do not tell."""
    revoked: bool = False
    role: Role = "admin"


@dataclass
class Session(Record):
    """One SDK session: its models and sampling sessions live under it."""

    FLEETING: ClassVar[frozenset[str]] = frozenset({"last_heartbeat"})
    id: str
    tenant_id: str
    number: int
    created_at: float
    last_heartbeat: float
    project_id: str
    sdk_version: str = ""
    tags: list[str] = field(default_factory=list)
    user_metadata: dict[str, Any] = field(default_factory=dict)
    display_name: str | None = None
    status: dict[str, Any] = field(default_factory=lambda: {"type": "active"})
    ended_at: float | None = None
    run_ids: list[str] = field(default_factory=list)
    sampler_ids: list[str] = field(default_factory=list)
    custom_losses: dict[str, dict[str, Any]] = field(default_factory=dict)
    trace_ready_at: float | None = None


@dataclass
class TrainingRun(Record):
    """A model under training."""

    FLEETING: ClassVar[frozenset[str]] = frozenset({"last_request_time"})
    id: str
    session_id: str
    tenant_id: str
    base_model: str
    rank: int
    created_at: float
    last_request_time: float
    seed: int = 0
    train_attn: bool = True
    train_mlp: bool = True
    train_unembed: bool = True
    optimizer_config: dict[str, Any] = field(default_factory=lambda: {"type": "adamw"})
    user_metadata: dict[str, Any] = field(default_factory=dict)
    corrupted: bool = False
    """Its weights were lost."""
    lost: bool = False
    """So was the run itself: nobody finds it any more."""
    losses: dict[str, str] = field(default_factory=dict)
    """seq_id -> what is lost when its turn comes; see `service/losing.py`."""
    loaded_from: str | None = None
    steps: int = 0
    trainer: Trainer | None = None
    """Its weights, gradients and moments; None while they are not in memory."""
    loaded: bool = False
    """It has weights, in memory or kept."""
    kept: Mapping[str, Any] | None = None
    """The trainer's exact state at some step, where states last; None for a new one's."""
    replay: list[str] = field(default_factory=list)
    """Request ids of what was done since: doing it again gives the weights of now."""


@dataclass
class Checkpoint(Record):
    """Saved weights. `arrays` is the trainer's exact state; a sampler checkpoint has no moments.

    `recipients` are the age public keys an external checkpoint's files are encrypted for.
    """

    path: str
    run_id: str
    name: str
    kind: CheckpointKind
    tenant_id: str
    project_id: str
    session_id: str
    created_at: float
    size_bytes: int
    base_model: str
    rank: int
    step: int = 0
    """Optimizer steps of the run when it was saved."""
    train_attn: bool = True
    train_mlp: bool = True
    train_unembed: bool = True
    optimizer_config: dict[str, Any] = field(default_factory=lambda: {"type": "adamw"})
    user_metadata: dict[str, str] | None = None
    expires_at: float | None = None
    public: bool = False
    arrays: Mapping[str, Any] = field(default_factory=dict)
    weights: Weights | None = None
    recipients: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """`weights/x`, `sampler_weights/x` or `external_weights/x`."""
        return f"{FOLDERS[self.kind]}/{self.name}"


@dataclass
class Upload(Record):
    """Weights on their way in: a link for each of an external checkpoint's files."""

    id: str
    tenant_id: str
    project_id: str
    base_model: str
    lora_config: dict[str, Any]
    created_at: float
    files: Mapping[str, bytes] = field(default_factory=dict)
    path: str | None = None
    """Of the checkpoint that it became."""


@dataclass
class SamplingSession(Record):
    """What samples: a base model, a checkpoint or an ephemeral snapshot."""

    id: str
    session_id: str
    tenant_id: str
    base_model: str
    created_at: float
    request: dict[str, Any] = field(default_factory=dict)
    """What created it, to recognise a repeated submission."""
    model_path: str | None = None
    run_id: str | None = None
    kind: str = "snapshot"
    weights: Weights | None = None
    clients: int = 0
    """How many clones have joined."""


@dataclass
class UsageEvent(Record):
    """Something billable that was really done, summed over a minute.

    `at` is the first of it; `quantity` counts tokens, saves or bytes.
    """

    at: float
    tenant_id: str
    session_id: str
    project_id: str
    base_model: str
    kind: Literal["training", "sampling_prefill", "sampling_sample", "checkpoint"]
    quantity: int
    cached: bool = False


@dataclass
class StoragePeriod(Record):
    """How long a checkpoint of `size_bytes` has been kept."""

    path: str
    tenant_id: str
    session_id: str
    project_id: str
    base_model: str
    size_bytes: int
    since: float
    until: float | None = None


@dataclass
class AuditEntry(Record):
    """One line of the audit log."""

    at: float
    tenant_id: str
    event: str
    model_id: str | None = None
    tinker_path: str | None = None
    purpose: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass
class TelemetrySummary(Record):
    """What a client's telemetry said: counts, not contents."""

    batches: int = 0
    events: dict[str, int] = field(default_factory=dict)
