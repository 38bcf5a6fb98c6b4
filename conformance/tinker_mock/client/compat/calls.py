"""Calls whose arguments or answers are other ones in `tinker`."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.util import find_spec
from typing import Any, Literal

from tinker_mock.client.compat.search import SessionSearchRequest
from tinker_mock.client.errors import TinkerError
from tinker_mock.client.futures.attempts import RetryConfig
from tinker_mock.client.futures.operation import Operation
from tinker_mock.client.losses.custom import Backend
from tinker_mock.client.losses.handle import LossHandle, PerDatumLossFn
from tinker_mock.client.losses.pipeline import BaseLoss
from tinker_mock.client.rest.client import AsyncRestClient
from tinker_mock.client.sampling.client import AsyncSamplingClient
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.training.client import AsyncTrainingClient
from tinker_mock.client.types.custom_loss import InputRank
from tinker_mock.client.types.datum import Datum
from tinker_mock.client.types.records import SessionSearchPage
from tinker_mock.client.types.results import ForwardBackwardOutput

BACKEND: Backend = "torch" if find_spec("torch") else "numpy"
"""What custom losses get: torch's tensors where torch is installed, as in the SDK."""


async def create_sampling_client(
    service: AsyncServiceClient,
    /,
    model_path: str | None = None,
    base_model: str | None = None,
    retry_config: RetryConfig | None = None,
    record_stability_info: bool = False,
) -> AsyncSamplingClient:
    """Sample from a checkpoint or a base model."""
    return await service.create_sampling_client(
        base_model, model_path, retry_config, record_stability_info
    )


async def create_custom_loss(
    service: AsyncServiceClient, /, fn: PerDatumLossFn, input_ranks: Mapping[str, InputRank]
) -> LossHandle:
    """Trace a loss of one datum, with torch where it is installed, and upload it."""
    return await service.create_custom_loss(fn, input_ranks, backend=BACKEND)


def forward_backward_custom(
    training: AsyncTrainingClient,
    /,
    data: Sequence[Datum],
    loss_fn: BaseLoss | LossHandle,
    *,
    loss_type_input: Literal["logprobs"] | None = None,
) -> Operation[ForwardBackwardOutput]:
    """Gradients of a loss computed here, or on the server behind a `LossHandle`.

    The loss gets torch tensors where torch is installed, else numpy arrays.
    """
    return training.forward_backward_custom(
        data, loss_fn, loss_type_input=loss_type_input, backend=BACKEND
    )


async def delete_checkpoint(
    rest: AsyncRestClient, /, training_run_id: str, checkpoint_id: str
) -> None:
    """Delete a checkpoint of a run."""
    await rest.delete_checkpoint(training_run_id, checkpoint_id)


async def copy_weights(
    rest: AsyncRestClient,
    /,
    path: str,
    destination_project_id: str | None = None,
    *,
    ttl_seconds: int | None = None,
    weights_access_token: str | None = None,
) -> str:
    """Copy a checkpoint into a project; the copy's path."""
    copied = await rest.copy_weights(
        path,
        destination_project_id,
        ttl_seconds=ttl_seconds,
        weights_access_token=weights_access_token,
    )
    return copied.tinker_path


async def export_session_trace(rest: AsyncRestClient, /, session_id: str) -> str:
    """The link to a session's trace, once it is packed. Raises `TinkerError` if that failed."""
    export = await rest.export_session_trace(session_id)
    if export.status != "ready" or export.url is None:
        raise TinkerError(f"Trace export failed for session {session_id}: {export.error}")
    return export.url


async def search_sessions(
    rest: AsyncRestClient, /, request: SessionSearchRequest
) -> SessionSearchPage:
    """One page of the sessions that meet all criteria."""
    criteria: dict[str, Any] = {one.name: getattr(request, one.name) for one in fields(request)}
    return await rest.search_sessions(**criteria)
