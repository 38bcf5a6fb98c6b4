"""Answers about what exists: models, sessions, runs, checkpoints, samplers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class SupportedModel:
    """A base model the server can train or sample."""

    model_name: str | None = None
    model_id: str | None = None
    arch: str | None = None
    max_context_length: int | None = None
    trainable: bool | None = None
    sampleable: bool | None = None

    @classmethod
    def from_wire(cls, body: Any) -> "SupportedModel":
        """From an object, or from a plain name as old servers send it."""
        if isinstance(body, str):
            return cls(model_name=body)
        return cls(**{name: body.get(name) for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class ServerCapabilities:
    supported_models: Sequence[SupportedModel] = ()

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> "ServerCapabilities":
        """Entries that are null are skipped."""
        models = body.get("supported_models") or []
        return cls([SupportedModel.from_wire(model) for model in models if model is not None])

    @property
    def model_names(self) -> list[str]:
        return [model.model_name for model in self.supported_models if model.model_name]


@dataclass(frozen=True, slots=True)
class SessionCreated:
    session_id: str
    info_message: str | None = None
    warning_message: str | None = None
    error_message: str | None = None
    type: str = "create_session"


@dataclass(frozen=True, slots=True)
class ModelData:
    arch: str | None = None
    model_name: str | None = None
    tokenizer_id: str | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What `get_info` knows about a model under training."""

    model_id: str
    model_data: ModelData
    is_lora: bool | None = None
    lora_rank: int | None = None
    model_name: str | None = None
    optimizer_config: Mapping[str, Any] | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    base_model: str
    is_lora: bool
    lora_rank: int | None = field(default=None, metadata={"omit_null": True})
    train_unembed: bool | None = field(default=None, metadata={"omit_null": True})
    train_mlp: bool | None = field(default=None, metadata={"omit_null": True})
    train_attn: bool | None = field(default=None, metadata={"omit_null": True})
    optimizer_config: Mapping[str, Any] | None = field(default=None, metadata={"omit_null": True})


@dataclass(frozen=True, slots=True)
class Sampler:
    sampler_id: str
    base_model: str
    model_path: str | None = field(default=None, metadata={"omit_null": True})


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page lies in the whole list."""

    offset: int
    limit: int
    total_count: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Saved weights. `time` stays text when it is not ISO 8601."""

    checkpoint_id: str
    checkpoint_type: str
    tinker_path: str
    time: datetime | str
    size_bytes: int | None = None
    public: bool = False
    expires_at: datetime | str | None = None
    user_metadata: Mapping[str, str] | None = None
    base_model: str | None = None

    @property
    def training_run_id(self) -> str | None:
        """The run that saved it, from its path."""
        scheme, _, rest = self.tinker_path.partition("://")
        return rest.split("/")[0] or None if scheme == "tinker" else None


@dataclass(frozen=True, slots=True)
class CheckpointsList:
    checkpoints: Sequence[Checkpoint]
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class CheckpointSearchCursor:
    last_created_at: datetime | str
    last_checkpoint_uuid: str


@dataclass(frozen=True, slots=True)
class CheckpointSearchPage:
    checkpoints: Sequence[Checkpoint]
    next_cursor: CheckpointSearchCursor | None = None


@dataclass(frozen=True, slots=True)
class ExternalUpload:
    """Where each file of an adapter is PUT: a URL, or from 0.40 on `{url, headers}`."""

    upload_id: str
    urls: Mapping[str, Any]
    expires: datetime | str


@dataclass(frozen=True, slots=True)
class TrainingRun:
    training_run_id: str
    base_model: str
    model_owner: str
    is_lora: bool
    last_request_time: datetime | str
    corrupted: bool = False
    lora_rank: int | None = None
    last_checkpoint: Checkpoint | None = None
    last_sampler_checkpoint: Checkpoint | None = None
    user_metadata: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class TrainingRunsList:
    training_runs: Sequence[TrainingRun]
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    training_run_ids: Sequence[str] = ()
    sampler_ids: Sequence[str] = ()
    user_metadata: Mapping[str, str] | None = None
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class SessionsList:
    sessions: Sequence[str]


@dataclass(frozen=True, slots=True)
class ArchiveUrl:
    """A signed link to a checkpoint's archive; unauthenticated GET until it expires."""

    url: str
    expires: datetime | str | None = None


@dataclass(frozen=True, slots=True)
class ExternalWeightsUrls:
    """Signed links by file name."""

    urls: Mapping[str, str]
    expires: datetime | str | None = None


@dataclass(frozen=True, slots=True)
class CopiedWeights:
    tinker_path: str


@dataclass(frozen=True, slots=True)
class TraceExport:
    status: str
    url: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SessionSummary:
    session_id: str
    created_at: datetime | str
    owner: str | None = None
    project_id: str | None = None
    checkpoints_count: int = 0
    status: Any = None
    display_name: str | None = None
    user_metadata: Mapping[str, str] | None = None
    checkpoint_storage_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class SessionSearchCursor:
    last_created_at: datetime | str
    last_session_id: str


@dataclass(frozen=True, slots=True)
class SessionSearchPage:
    sessions: Sequence[SessionSummary]
    next_cursor: SessionSearchCursor | None = None
