"""This client as `tinker`: the names, parameters and futures of SDK 0.38.0.

    import tinker_mock.client.compat as tinker          # one program
    tinker.install()                                    # every later `import tinker`

or, for programs that are not to be touched, put `path()` before everything on `PYTHONPATH`:

    PYTHONPATH=$(python -m tinker_mock.client.compat) python program.py

`docs/client/compat.md` says what is not here, and why.
"""

import sys
from pathlib import Path

from tinker_mock.client.compat import auth, types
from tinker_mock.client.compat.clients import (
    BackcompatSamplingClientFuture,
    BackcompatTrainingClientFuture,
    SamplingClient,
    ServiceClient,
    TrainingClient,
)
from tinker_mock.client.compat.futures import APIFuture
from tinker_mock.client.compat.options import ExperimentalWarning, RequestOptions, Timeout
from tinker_mock.client.compat.rest import AdminClient, RestClient
from tinker_mock.client.compat.types import (
    AdamOptimizerConfig,
    AdamParams,
    Checkpoint,
    CheckpointType,
    Datum,
    DimuonOptimizerConfig,
    DimuonParams,
    DmelChunk,
    EncodedTextChunk,
    ForwardBackwardOutput,
    LoraConfig,
    ModelID,
    ModelInput,
    ModelInputChunk,
    OptimParams,
    OptimStepRequest,
    OptimStepResponse,
    ParsedCheckpointTinkerPath,
    PromptProvenanceSpan,
    SampledProvenanceSpan,
    SampledSequence,
    SampleRequest,
    SampleResponse,
    SamplingParams,
    StopReason,
    TensorData,
    TensorDtype,
    TrainingRun,
)
from tinker_mock.client.errors import ApiConnectionError as APIConnectionError
from tinker_mock.client.errors import ApiError as APIError
from tinker_mock.client.errors import ApiStatusError as APIStatusError
from tinker_mock.client.errors import ApiTimeoutError as APITimeoutError
from tinker_mock.client.errors import (
    AuthenticationError,
    BadRequestError,
    BillingError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestFailedError,
    TinkerError,
    UnprocessableEntityError,
)
from tinker_mock.client.errors import ValidationError as APIResponseValidationError
from tinker_mock.client.losses.handle import LossHandle, PerDatumLossFn

__version__ = "0.38.0"
"""Of the SDK whose names these are."""
__title__ = "tinker"

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIFuture",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AdamOptimizerConfig",
    "AdamParams",
    "AdminClient",
    "AuthenticationError",
    "BackcompatSamplingClientFuture",
    "BackcompatTrainingClientFuture",
    "BadRequestError",
    "BillingError",
    "Checkpoint",
    "CheckpointType",
    "ConflictError",
    "Datum",
    "DimuonOptimizerConfig",
    "DimuonParams",
    "DmelChunk",
    "EncodedTextChunk",
    "ExperimentalWarning",
    "ForwardBackwardOutput",
    "InternalServerError",
    "LoraConfig",
    "LossHandle",
    "ModelID",
    "ModelInput",
    "ModelInputChunk",
    "NotFoundError",
    "OptimParams",
    "OptimStepRequest",
    "OptimStepResponse",
    "ParsedCheckpointTinkerPath",
    "PerDatumLossFn",
    "PermissionDeniedError",
    "PromptProvenanceSpan",
    "RateLimitError",
    "RequestFailedError",
    "RequestOptions",
    "RestClient",
    "SampleRequest",
    "SampleResponse",
    "SampledProvenanceSpan",
    "SampledSequence",
    "SamplingClient",
    "SamplingParams",
    "ServiceClient",
    "StopReason",
    "TensorData",
    "TensorDtype",
    "Timeout",
    "TinkerError",
    "TrainingClient",
    "TrainingRun",
    "UnprocessableEntityError",
    "__title__",
    "__version__",
    "auth",
    "install",
    "path",
    "types",
]


def path() -> Path:
    """A directory in which `tinker` is this package; for `PYTHONPATH`."""
    return Path(__file__).with_name("path")


def install() -> None:
    """Let every later `import tinker`, in this process, give this package.

    Raises `ImportError` where another `tinker` has been imported already.
    """
    here = sys.modules[__name__]
    other = sys.modules.get("tinker", here)
    if other is not here and getattr(other, "__file__", None) != str(path() / "tinker.py"):
        raise ImportError("another 'tinker' has been imported: install before the first import")
    sys.modules["tinker"] = here
    for name in ("auth", "types"):
        sys.modules[f"tinker.{name}"] = sys.modules[f"{__name__}.{name}"]
