"""Bodies of requests, as `tinker.types` names them.

The clients make their own; these are for programs that look at what is sent. Source: SDK 0.38.0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tinker_mock.client.training.loss_functions import LossFn
from tinker_mock.client.types.custom_loss import CustomLossGraph, CustomLossInput
from tinker_mock.client.types.datum import Datum
from tinker_mock.client.types.model_input import ModelInput
from tinker_mock.client.types.parameters import (
    AdamOptimizerConfig,
    LoraConfig,
    OptimizerConfig,
    OptimParams,
    SamplingParams,
)
from tinker_mock.client.types.tensors import TensorData

LossFnType = Literal[LossFn, "custom"]


@dataclass(frozen=True)
class ClientConfigRequest:
    """How should a client of this release behave?"""

    sdk_version: str


@dataclass(frozen=True)
class CreateSessionRequest:
    """Begin a session."""

    tags: Sequence[str]
    user_metadata: Mapping[str, str] | None
    sdk_version: str
    project_id: str | None = None
    display_name: str | None = None
    type: Literal["create_session"] = "create_session"


@dataclass(frozen=True)
class SessionHeartbeatRequest:
    """The session is still needed."""

    session_id: str
    type: Literal["session_heartbeat"] = "session_heartbeat"


@dataclass(frozen=True)
class CreateModelRequest:
    """A new adapter on a base model."""

    session_id: str
    model_seq_id: int
    base_model: str
    user_metadata: Mapping[str, str] | None = None
    lora_config: LoraConfig | None = None
    optimizer_config: OptimizerConfig = field(default_factory=AdamOptimizerConfig)
    type: Literal["create_model"] = "create_model"


@dataclass(frozen=True)
class CreateSamplingSessionRequest:
    """Sample from a base model or a checkpoint."""

    session_id: str
    sampling_session_seq_id: int
    base_model: str | None = None
    model_path: str | None = None
    type: Literal["create_sampling_session"] = "create_sampling_session"


@dataclass(frozen=True)
class JoinSamplingSessionRequest:
    """Sample in another process's session too."""

    sampling_session_id: str
    type: Literal["join_sampling_session"] = "join_sampling_session"


@dataclass(frozen=True)
class CreateCustomLossRequest:
    """Upload a traced loss."""

    session_id: str
    custom_loss_seq_id: int
    name: str
    inputs: Sequence[CustomLossInput]
    graph: CustomLossGraph
    type: Literal["create_custom_loss"] = "create_custom_loss"


@dataclass(frozen=True)
class ForwardBackwardInput:
    """Data and their loss."""

    data: Sequence[Datum]
    loss_fn: LossFnType
    loss_fn_config: Mapping[str, float | str] | None = None


@dataclass(frozen=True)
class ForwardBackwardRequest:
    """A pass that gathers gradients."""

    forward_backward_input: ForwardBackwardInput
    model_id: str
    seq_id: int | None = None


@dataclass(frozen=True)
class ForwardRequest:
    """A pass without gradients."""

    forward_input: ForwardBackwardInput
    model_id: str
    seq_id: int | None = None


@dataclass(frozen=True)
class OptimStepRequest:
    """Apply the gathered gradients."""

    optim_params: OptimParams
    model_id: str
    seq_id: int | None = None
    type: Literal["optim_step"] = "optim_step"


@dataclass(frozen=True)
class SampleRequest:
    """Draw continuations of a prompt."""

    prompt: ModelInput
    sampling_params: SamplingParams
    num_samples: int = 1
    base_model: str | None = None
    model_path: str | None = None
    sampling_session_id: str | None = None
    seq_id: int | None = None
    prompt_logprobs: bool | None = None
    topk_prompt_logprobs: int = 0
    topk_sample_logprobs: int = 0
    target_prompt_logprobs: TensorData | None = None
    prompt_alt_tokens_k: int = 0
    prompt_logprobs_last_n: int | None = None
    record_stability_info: bool | None = None
    type: Literal["sample"] = "sample"


@dataclass(frozen=True)
class SaveWeightsRequest:
    """Save weights and optimiser."""

    model_id: str
    path: str | None = None
    seq_id: int | None = None
    ttl_seconds: int | None = None
    overwrite: bool = False
    user_metadata: Mapping[str, str] | None = None
    type: Literal["save_weights"] = "save_weights"


@dataclass(frozen=True)
class SaveWeightsForSamplerRequest:
    """Make the weights available for sampling."""

    model_id: str
    path: str | None = None
    sampling_session_seq_id: int | None = None
    kind: Literal["snapshot", "inflight"] = "snapshot"
    seq_id: int | None = None
    ttl_seconds: int | None = None
    user_metadata: Mapping[str, str] | None = None
    type: Literal["save_weights_for_sampler"] = "save_weights_for_sampler"


@dataclass(frozen=True)
class SaveWeightsExternalRequest:
    """Save weights in files that can be downloaded."""

    model_id: str
    path: str
    seq_id: int | None = None
    ttl_seconds: int | None = None
    age_encryption_recipients: Sequence[str] | None = None
    type: Literal["save_weights_external"] = "save_weights_external"


@dataclass(frozen=True)
class LoadWeightsRequest:
    """Load saved weights, into a model or as a new one."""

    path: str
    optimizer: bool
    model_id: str | None = None
    seq_id: int | None = None
    session_id: str | None = None
    model_seq_id: int | None = None
    base_model: str | None = None
    user_metadata: Mapping[str, str] | None = None
    optimizer_config: OptimizerConfig | None = None
    weights_access_token: str | None = None
    type: Literal["load_weights"] = "load_weights"


@dataclass(frozen=True)
class CopyWeightsRequest:
    """Copy a checkpoint into a project, or into a session."""

    source_path: str
    session_id: str | None = None
    model_seq_id: int | None = None
    destination_project_id: str | None = None
    ttl_seconds: int | None = None
    weights_access_token: str | None = None


@dataclass(frozen=True)
class GetInfoRequest:
    """What is known about a model?"""

    model_id: str
    type: Literal["get_info"] = "get_info"


@dataclass(frozen=True)
class UnloadModelRequest:
    """The model is no longer needed."""

    model_id: str
    type: Literal["unload_model"] = "unload_model"


@dataclass(frozen=True)
class FutureRetrieveRequest:
    """Ask for one promise."""

    request_id: str
    allow_metadata_only: bool = False


@dataclass(frozen=True)
class SamplingSessionFuturesTarget:
    """All promises of one sampling session, or of one clone of it."""

    sampling_session_id: str
    type: Literal["sampling_session"] = "sampling_session"
    cloned_sampler_id: int = 0


@dataclass(frozen=True)
class FuturesRetrieveRequest:
    """Ask which promises of a session are done."""

    target: SamplingSessionFuturesTarget
    prev_cursor: int = 0
    timeout: float | None = None
    retrieved_request_ids: Sequence[str] = ()


@dataclass(frozen=True)
class GetBillingUsageRequest:
    """Usage from the first moment to before the second."""

    starting_on: datetime
    ending_before: datetime


@dataclass(frozen=True)
class GetCurrentCheckpointStorageUsageRequest:
    """Stored checkpoints of a project, or of all."""

    project_id: str | None = None
