"""The reference client: how a good client speaks to a Tinker server.

`AsyncServiceClient` is the core; `ServiceClient` is the same without `await`. `docs/client/`
has a page on each topic.
"""

from tinker_mock.client.blocking import RestClient, SamplingClient, ServiceClient, TrainingClient
from tinker_mock.client.clock import Clock, ManualClock, RealClock
from tinker_mock.client.config import ClientConfig
from tinker_mock.client.config.presets import PRESETS, Preset
from tinker_mock.client.errors import (
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
from tinker_mock.client.futures.attempts import RetryConfig
from tinker_mock.client.futures.operation import Operation, await_many
from tinker_mock.client.portal import BlockingOperation
from tinker_mock.client.rest.client import AsyncRestClient
from tinker_mock.client.rest.paths import CheckpointPath, parse_checkpoint_path
from tinker_mock.client.sampling.client import AsyncSamplingClient
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.session.heartbeat import HeartbeatSettings
from tinker_mock.client.training.client import AsyncTrainingClient
from tinker_mock.client.types import (
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
