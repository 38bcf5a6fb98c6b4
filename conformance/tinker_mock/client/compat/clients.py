"""The training and sampling clients of `tinker`: what hands out a future there does so here."""

import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Self

from tinker_mock.client import blocking
from tinker_mock.client.compat import calls
from tinker_mock.client.compat.futures import APIFuture, ClientFuture, ThreadFuture
from tinker_mock.client.compat.rest import RestClient
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.training.client import AsyncTrainingClient
from tinker_mock.client.twins import (
    asking,
    creating,
    handing,
    making_async,
    submitting,
    twin,
    waiting,
)

Status = Literal["success", "errored", "interrupted"]


class SamplingClient(blocking.SamplingClient):
    """Samples and log-probabilities."""


class BackcompatSamplingClientFuture(ClientFuture[SamplingClient], SamplingClient):
    """A future of a `SamplingClient`, and such a client itself."""


class TrainingClient(blocking.TrainingOperations):
    """Forward and backward passes, optimiser steps, saving and loading."""

    save_weights_and_get_sampling_client = creating(
        AsyncTrainingClient.save_weights_and_get_sampling_client,
        SamplingClient,
        BackcompatSamplingClientFuture,
    )
    create_sampling_client = creating(
        AsyncTrainingClient.create_sampling_client, SamplingClient, BackcompatSamplingClientFuture
    )
    save_weights_and_get_sampling_client_async = making_async(
        AsyncTrainingClient.save_weights_and_get_sampling_client, SamplingClient
    )
    create_sampling_client_async = making_async(
        AsyncTrainingClient.create_sampling_client, SamplingClient
    )

    forward_backward_custom = submitting(calls.forward_backward_custom)
    forward_backward_custom_async = handing(calls.forward_backward_custom)


class BackcompatTrainingClientFuture(ClientFuture[TrainingClient], TrainingClient):
    """A future of a `TrainingClient`, and such a client itself."""


class ServiceClient:
    """Where everything begins. Unknown arguments are ignored with a warning, as in the SDK."""

    def __init__(
        self,
        user_metadata: Mapping[str, str] | None = None,
        project_id: str | None = None,
        *,
        display_name: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        default_headers_overrides: Mapping[str, str] | None = None,
        **ignored: Any,
    ) -> None:
        if ignored:
            warnings.warn(
                f"ServiceClient ignores unsupported arguments: {', '.join(sorted(ignored))}",
                FutureWarning,
                stacklevel=2,
            )
        self._service = blocking.ServiceClient(
            user_metadata=user_metadata,
            project_id=project_id,
            display_name=display_name,
            base_url=base_url,
            api_key=api_key,
            default_headers=default_headers_overrides,
        )
        self.portal, self.inner = self._service.portal, self._service.inner

    get_server_capabilities = waiting(AsyncServiceClient.get_server_capabilities)
    get_server_capabilities_async = twin(AsyncServiceClient.get_server_capabilities)

    create_lora_training_client = creating(
        AsyncServiceClient.create_lora_training_client,
        TrainingClient,
        BackcompatTrainingClientFuture,
    )
    create_training_client_from_state = creating(
        AsyncServiceClient.create_training_client_from_state,
        TrainingClient,
        BackcompatTrainingClientFuture,
    )
    create_training_client_from_state_with_optimizer = creating(
        AsyncServiceClient.create_training_client_from_state_with_optimizer,
        TrainingClient,
        BackcompatTrainingClientFuture,
    )
    create_sampling_client = creating(
        calls.create_sampling_client, SamplingClient, BackcompatSamplingClientFuture
    )
    create_custom_loss = asking(calls.create_custom_loss)
    copy_weights = asking(AsyncServiceClient.copy_weights)
    create_lora_training_client_async = making_async(
        AsyncServiceClient.create_lora_training_client, TrainingClient
    )
    create_training_client_from_state_async = making_async(
        AsyncServiceClient.create_training_client_from_state, TrainingClient
    )
    create_training_client_from_state_with_optimizer_async = making_async(
        AsyncServiceClient.create_training_client_from_state_with_optimizer, TrainingClient
    )
    create_sampling_client_async = making_async(calls.create_sampling_client, SamplingClient)

    def create_rest_client(self) -> RestClient:
        """Runs, checkpoints, sessions; needs no session of its own."""
        return RestClient.of(self.portal, self.inner.create_rest_client())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        interrupted = exc_type is not None and not issubclass(exc_type, Exception)
        status: Status = "success" if exc_type is None else "errored"
        self.close("interrupted" if interrupted else status).result()

    def close(self, status: Status = "success", detail: str | None = None) -> APIFuture[None]:
        """Finish the session and end the background loop; a future of that."""
        ended = self._service.close
        return ThreadFuture(lambda: ended(reason=status, detail=detail))

    def get_console_url(self) -> str:
        """Where the console shows this session."""
        return self.inner.get_console_url()

    def get_telemetry(self) -> Any:
        """What reports the session's events, if anything does."""
        return self.inner.get_telemetry()
