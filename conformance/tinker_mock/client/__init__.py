"""The reference client: how a good client speaks to a Tinker server.

`AsyncServiceClient` is the core; `ServiceClient` is the same without `await`. `docs/client/`
has a page on each topic.
"""

from tinker_mock.client.blocking import (
    AdminClient,
    RestClient,
    SamplingClient,
    ServiceClient,
    TrainingClient,
)
from tinker_mock.client.clock import Clock, ManualClock, RealClock
from tinker_mock.client.config import ClientConfig, ClientOptions
from tinker_mock.client.config.presets import PRESETS, Preset
from tinker_mock.client.elixir.circuit import CircuitBreaker
from tinker_mock.client.elixir.circuits import CircuitRegistry
from tinker_mock.client.elixir.metrics import Metrics
from tinker_mock.client.errors import (
    ApiConnectionError,
    ApiError,
    ApiStatusError,
    ApiTimeoutError,
    AuthenticationError,
    BadRequestError,
    BillingError,
    Category,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    PoisonedClientError,
    PromiseGoneError,
    RateLimitError,
    RequestFailedError,
    TinkerError,
    UnprocessableEntityError,
    ValidationError,
)
from tinker_mock.client.futures.attempts import RetryConfig, RetryHandler
from tinker_mock.client.futures.operation import Operation, await_many
from tinker_mock.client.losses.handle import LossHandle, PerDatumLossFn
from tinker_mock.client.losses.specification import RegularizerSpec
from tinker_mock.client.portal import BlockingOperation
from tinker_mock.client.recovery import RecoveryPolicy, recover_runs
from tinker_mock.client.rest.admin import AsyncAdminClient
from tinker_mock.client.rest.client import AsyncRestClient
from tinker_mock.client.rest.download import Downloaded, download_checkpoint
from tinker_mock.client.rest.paths import CheckpointPath, parse_checkpoint_path
from tinker_mock.client.sampling.client import AsyncSamplingClient
from tinker_mock.client.sampling.stream import StreamChunk, stream_sample
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.session.heartbeat import HeartbeatSettings
from tinker_mock.client.telemetry.capture import capture_exceptions
from tinker_mock.client.telemetry.reporter import TelemetryReporter
from tinker_mock.client.training.client import AsyncTrainingClient
from tinker_mock.client.types import (
    AdamOptimizerConfig,
    AdamParams,
    Datum,
    DimuonOptimizerConfig,
    DimuonParams,
    DmelChunk,
    EncodedTextChunk,
    ImageAssetPointerChunk,
    ImageChunk,
    LoraConfig,
    ModelInput,
    SamplingParams,
)
from tinker_mock.client.types.billing import (
    AuditLogResponse,
    BillingUsageResponse,
    CheckpointStorageUsage,
    WhoamiResponse,
)
from tinker_mock.client.types.provenance import PromptProvenanceSpan, SampledProvenanceSpan
from tinker_mock.client.types.records import (
    Checkpoint,
    CheckpointsList,
    Cursor,
    ModelInfo,
    ServerCapabilities,
    SupportedModel,
    TrainingRun,
    TrainingRunsList,
)
from tinker_mock.client.types.results import (
    ForwardBackwardOutput,
    LoadWeightsResponse,
    OptimStepResponse,
    SampledSequence,
    SampleResponse,
    SaveWeightsForSamplerResponse,
    SaveWeightsResponse,
)
from tinker_mock.client.types.tensors import TensorData
from tinker_mock.client.watch.events import Event, EventHub
from tinker_mock.client.watch.queue_state import QueueState

__all__ = [
    "PRESETS",
    "AdamOptimizerConfig",
    "AdamParams",
    "AdminClient",
    "ApiConnectionError",
    "ApiError",
    "ApiStatusError",
    "ApiTimeoutError",
    "AsyncAdminClient",
    "AsyncRestClient",
    "AsyncSamplingClient",
    "AsyncServiceClient",
    "AsyncTrainingClient",
    "AuditLogResponse",
    "AuthenticationError",
    "BadRequestError",
    "BillingError",
    "BillingUsageResponse",
    "BlockingOperation",
    "Category",
    "Checkpoint",
    "CheckpointPath",
    "CheckpointStorageUsage",
    "CheckpointsList",
    "CircuitBreaker",
    "CircuitRegistry",
    "ClientConfig",
    "ClientOptions",
    "Clock",
    "ConflictError",
    "Cursor",
    "Datum",
    "DimuonOptimizerConfig",
    "DimuonParams",
    "DmelChunk",
    "Downloaded",
    "EncodedTextChunk",
    "Event",
    "EventHub",
    "ForwardBackwardOutput",
    "HeartbeatSettings",
    "ImageAssetPointerChunk",
    "ImageChunk",
    "InternalServerError",
    "LoadWeightsResponse",
    "LoraConfig",
    "LossHandle",
    "ManualClock",
    "Metrics",
    "ModelInfo",
    "ModelInput",
    "NotFoundError",
    "Operation",
    "OptimStepResponse",
    "PerDatumLossFn",
    "PermissionDeniedError",
    "PoisonedClientError",
    "Preset",
    "PromiseGoneError",
    "PromptProvenanceSpan",
    "QueueState",
    "RateLimitError",
    "RealClock",
    "RecoveryPolicy",
    "RegularizerSpec",
    "RequestFailedError",
    "RestClient",
    "RetryConfig",
    "RetryHandler",
    "SampleResponse",
    "SampledProvenanceSpan",
    "SampledSequence",
    "SamplingClient",
    "SamplingParams",
    "SaveWeightsForSamplerResponse",
    "SaveWeightsResponse",
    "ServerCapabilities",
    "ServiceClient",
    "StreamChunk",
    "SupportedModel",
    "TelemetryReporter",
    "TensorData",
    "TinkerError",
    "TrainingClient",
    "TrainingRun",
    "TrainingRunsList",
    "UnprocessableEntityError",
    "ValidationError",
    "WhoamiResponse",
    "await_many",
    "capture_exceptions",
    "download_checkpoint",
    "parse_checkpoint_path",
    "recover_runs",
    "stream_sample",
]
