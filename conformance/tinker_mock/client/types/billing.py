"""Answers about money: usage events, storage, and who did what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tinker_mock.client.errors import Category, ValidationError
from tinker_mock.client.types.json import decode


@dataclass(frozen=True, slots=True)
class TrainingBillingEvent:
    """Tokens trained on."""

    token_count: int
    type: Literal["training"] = "training"


@dataclass(frozen=True, slots=True)
class SamplingPrefillBillingEvent:
    """Prompt tokens, from the prefix cache or computed."""

    token_count: int
    cached: bool = False
    type: Literal["sampling_prefill"] = "sampling_prefill"


@dataclass(frozen=True, slots=True)
class SamplingSampleBillingEvent:
    """Tokens sampled."""

    token_count: int
    type: Literal["sampling_sample"] = "sampling_sample"


@dataclass(frozen=True, slots=True)
class CheckpointBillingEvent:
    """Checkpoints saved."""

    count: int
    type: Literal["checkpoint"] = "checkpoint"


@dataclass(frozen=True, slots=True)
class StorageBillingEvent:
    """Storage used, in gigabytes times hours."""

    gigabyte_hours: float
    free: bool = False
    type: Literal["storage"] = "storage"


BillingEventInfo = (
    TrainingBillingEvent
    | SamplingPrefillBillingEvent
    | SamplingSampleBillingEvent
    | CheckpointBillingEvent
    | StorageBillingEvent
)
_INFO: dict[str, Any] = {
    "training": TrainingBillingEvent,
    "sampling_prefill": SamplingPrefillBillingEvent,
    "sampling_sample": SamplingSampleBillingEvent,
    "checkpoint": CheckpointBillingEvent,
    "storage": StorageBillingEvent,
}


@dataclass(frozen=True, slots=True)
class BillingUsageEvent:
    """One kind of usage in one hour; costs are estimates before credits, in US dollars."""

    bucket_start: datetime
    bucket_end: datetime
    event_info: BillingEventInfo
    base_model: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    session_id: str | None = None
    project_id: str | None = None
    estimated_cost_usd: float | None = None
    effective_rate_usd_per_million_tokens: float | None = None
    effective_rate_usd_per_gigabyte_month: float | None = None

    @classmethod
    def from_wire(cls, body: Any) -> "BillingUsageEvent":
        """Raises `ValidationError` for a kind of usage that nobody knows."""
        info = body.get("event_info") if isinstance(body, Mapping) else None
        kind = info.get("type") if isinstance(info, Mapping) else None
        if kind not in _INFO:
            raise ValidationError(
                f"event_info.type: expected one of {', '.join(_INFO)}, got {kind!r}",
                category=Category.SERVER,
            )
        plain = decode(_Envelope, body)
        fields = {name: getattr(plain, name) for name in _Envelope.__slots__}
        return cls(event_info=decode(_INFO[str(kind)], info), **fields)


@dataclass(frozen=True, slots=True)
class _Envelope:
    bucket_start: datetime
    bucket_end: datetime
    base_model: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    session_id: str | None = None
    project_id: str | None = None
    estimated_cost_usd: float | None = None
    effective_rate_usd_per_million_tokens: float | None = None
    effective_rate_usd_per_gigabyte_month: float | None = None


@dataclass(frozen=True, slots=True)
class BillingUsageSession:
    user_metadata: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class BillingUsageResponse:
    """Usage events of a window, and the sessions they belong to."""

    data: Sequence[BillingUsageEvent]
    sessions: Mapping[str, BillingUsageSession] = field(default_factory=dict)
    cost_data_through: datetime | None = None


@dataclass(frozen=True, slots=True)
class CheckpointStorageItem:
    """Stored checkpoints of one owner in one project."""

    checkpoint_count: int
    size_bytes: int
    size_gigabytes: float
    project_id: str | None = None
    org_user_urn: str | None = None
    user_email: str | None = None
    user_name: str | None = None
    estimated_monthly_cost_usd: float | None = None


@dataclass(frozen=True, slots=True)
class CheckpointStorageUsage:
    """What stored checkpoints cost at the current rate."""

    data: Sequence[CheckpointStorageItem]
    effective_rate_usd_per_gigabyte_month: float | None = None


@dataclass(frozen=True, slots=True)
class AuditLogEntry:
    """Who did what."""

    timestamp: datetime
    event: str
    event_details: Mapping[str, Any] = field(default_factory=dict)
    model_id: str | None = None
    tinker_path: str | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class AuditLogResponse:
    entries: Sequence[AuditLogEntry]


@dataclass(frozen=True, slots=True)
class WhoamiResponse:
    """Whose credentials these are."""

    user_urn: str
    org_urn: str
    email: str | None = None
