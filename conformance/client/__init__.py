"""The reference client: how a good client speaks to a Tinker server.

`AsyncServiceClient` is the core; `ServiceClient` is the same without `await`. See `guide/` for a
page on each topic.
"""

from .answers.catalog import (
    Checkpoint,
    CheckpointsList,
    Cursor,
    ModelInfo,
    ServerCapabilities,
    SupportedModel,
    TrainingRun,
    TrainingRunsList,
)
from .answers.work import (
    ForwardBackwardOutput,
    LoadWeightsResponse,
    OptimStepResponse,
    SampledSequence,
    SampleResponse,
    SaveWeightsForSamplerResponse,
    SaveWeightsResponse,
)
from .blocking import BlockingOperation, RestClient, SamplingClient, ServiceClient, TrainingClient
from .clock import Clock, ManualClock, RealClock
from .config import ClientConfig
from .errors import (
    ApiConnectionError,
    ApiStatusError,
    ApiTimeoutError,
    Category,
    PoisonedClientError,
    PromiseGoneError,
    RequestFailedError,
    TinkerError,
    ValidationError,
)
from .events import Event, EventHub
from .futures.operation import Operation, await_many
from .inputs import (
    AdamParams,
    Datum,
    DmelChunk,
    EncodedTextChunk,
    ImageAssetPointerChunk,
    ImageChunk,
    LoraConfig,
    ModelInput,
    SamplingParams,
)
from .presets import PRESETS, Preset
from .queue_state.states import QueueState
from .rest.client import AsyncRestClient
from .rest.paths import CheckpointPath, parse_checkpoint_path
from .retry.requests import RetryConfig
from .sampling.client import AsyncSamplingClient
from .service import AsyncServiceClient
from .session.heartbeat import HeartbeatSettings
from .tensors import TensorData
from .training.client import AsyncTrainingClient

__all__ = [
    "PRESETS",
    "AdamParams",
    "ApiConnectionError",
    "ApiStatusError",
    "ApiTimeoutError",
    "AsyncRestClient",
    "AsyncSamplingClient",
    "AsyncServiceClient",
    "AsyncTrainingClient",
    "BlockingOperation",
    "Category",
    "Checkpoint",
    "CheckpointPath",
    "CheckpointsList",
    "ClientConfig",
    "Clock",
    "Cursor",
    "Datum",
    "DmelChunk",
    "EncodedTextChunk",
    "Event",
    "EventHub",
    "ForwardBackwardOutput",
    "HeartbeatSettings",
    "ImageAssetPointerChunk",
    "ImageChunk",
    "LoadWeightsResponse",
    "LoraConfig",
    "ManualClock",
    "ModelInfo",
    "ModelInput",
    "Operation",
    "OptimStepResponse",
    "PoisonedClientError",
    "Preset",
    "PromiseGoneError",
    "QueueState",
    "RealClock",
    "RequestFailedError",
    "RestClient",
    "RetryConfig",
    "SampleResponse",
    "SampledSequence",
    "SamplingClient",
    "SamplingParams",
    "SaveWeightsForSamplerResponse",
    "SaveWeightsResponse",
    "ServerCapabilities",
    "ServiceClient",
    "SupportedModel",
    "TensorData",
    "TinkerError",
    "TrainingClient",
    "TrainingRun",
    "TrainingRunsList",
    "ValidationError",
    "await_many",
    "parse_checkpoint_path",
]
