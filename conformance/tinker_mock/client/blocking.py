"""`ServiceClient` and the clients it makes, for programs without an event loop."""

from typing import Any

from tinker_mock.client.config import ClientConfig
from tinker_mock.client.portal import Portal, submitting, waiting
from tinker_mock.client.rest.client import AsyncRestClient
from tinker_mock.client.sampling.client import AsyncSamplingClient
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.training.client import AsyncTrainingClient


class RestClient:
    """Blocking twin of `AsyncRestClient`."""

    def __init__(self, portal: Portal, inner: AsyncRestClient) -> None:
        self.portal = portal
        self.inner = inner

    list_training_runs = waiting(AsyncRestClient.list_training_runs)
    get_training_run = waiting(AsyncRestClient.get_training_run)
    get_training_run_by_tinker_path = waiting(AsyncRestClient.get_training_run_by_tinker_path)
    list_checkpoints = waiting(AsyncRestClient.list_checkpoints)
    list_user_checkpoints = waiting(AsyncRestClient.list_user_checkpoints)
    delete_checkpoint = waiting(AsyncRestClient.delete_checkpoint)
    publish_checkpoint = waiting(AsyncRestClient.publish_checkpoint)
    unpublish_checkpoint = waiting(AsyncRestClient.unpublish_checkpoint)
    set_checkpoint_ttl = waiting(AsyncRestClient.set_checkpoint_ttl)
    get_checkpoint_archive_url = waiting(AsyncRestClient.get_checkpoint_archive_url)
    get_external_weights_urls = waiting(AsyncRestClient.get_external_weights_urls)
    get_weights_info_by_tinker_path = waiting(AsyncRestClient.get_weights_info_by_tinker_path)
    copy_weights = waiting(AsyncRestClient.copy_weights)
    get_sampler = waiting(AsyncRestClient.get_sampler)
    list_sessions = waiting(AsyncRestClient.list_sessions)
    get_session = waiting(AsyncRestClient.get_session)
    set_session_project = waiting(AsyncRestClient.set_session_project)
    finish_session = waiting(AsyncRestClient.finish_session)
    search_sessions = waiting(AsyncRestClient.search_sessions)
    search_checkpoints = waiting(AsyncRestClient.search_checkpoints)
    external_weights_upload_start = waiting(AsyncRestClient.external_weights_upload_start)
    external_weights_upload_finish = waiting(AsyncRestClient.external_weights_upload_finish)
    export_session_trace = waiting(AsyncRestClient.export_session_trace)
    get_audit_log = waiting(AsyncRestClient.get_audit_log)
    get_billing_usage = waiting(AsyncRestClient.get_billing_usage)
    get_checkpoint_storage_usage = waiting(AsyncRestClient.get_checkpoint_storage_usage)


class SamplingClient:
    """Blocking twin of `AsyncSamplingClient`."""

    def __init__(self, portal: Portal, inner: AsyncSamplingClient) -> None:
        self.portal = portal
        self.inner = inner

    @property
    def sampling_session_id(self) -> str:
        return self.inner.sampling_session_id

    sample = submitting(AsyncSamplingClient.sample)
    compute_logprobs = submitting(AsyncSamplingClient.compute_logprobs)


class TrainingClient:
    """Blocking twin of `AsyncTrainingClient`."""

    def __init__(self, portal: Portal, inner: AsyncTrainingClient) -> None:
        self.portal = portal
        self.inner = inner

    @property
    def model_id(self) -> str:
        return self.inner.model_id

    forward = submitting(AsyncTrainingClient.forward)
    forward_backward = submitting(AsyncTrainingClient.forward_backward)
    forward_backward_custom = submitting(AsyncTrainingClient.forward_backward_custom)
    optim_step = submitting(AsyncTrainingClient.optim_step)
    save_state = submitting(AsyncTrainingClient.save_state)
    load_state = submitting(AsyncTrainingClient.load_state)
    load_state_with_optimizer = submitting(AsyncTrainingClient.load_state_with_optimizer)
    save_weights_for_sampler = submitting(AsyncTrainingClient.save_weights_for_sampler)
    save_weights_external = submitting(AsyncTrainingClient.save_weights_external)
    unload_model = submitting(AsyncTrainingClient.unload_model)
    get_info = waiting(AsyncTrainingClient.get_info)
    encode = waiting(AsyncTrainingClient.encode)
    decode = waiting(AsyncTrainingClient.decode)

    def save_weights_and_get_sampling_client(
        self, name: str | None = None, **sampling: Any
    ) -> SamplingClient:
        """Save for the sampler and open a sampling client on exactly these weights."""

        async def saved() -> AsyncSamplingClient:
            return await self.inner.save_weights_and_get_sampling_client(name, **sampling)

        return SamplingClient(self.portal, self.portal.run(saved()))


class ServiceClient:
    """Blocking twin of `AsyncServiceClient`. Close it, or use `with`."""

    def __init__(self, config: ClientConfig | None = None, **options: Any) -> None:
        self.portal = Portal()
        try:
            self.inner = self.portal.call(lambda: AsyncServiceClient(config, **options))
        except BaseException:
            self.portal.close()
            raise

    def __enter__(self) -> "ServiceClient":
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self.close(reason="success" if failure is None else "errored")

    def close(self, *, reason: str = "success", detail: str | None = None) -> None:
        """Finish the session and end the background loop."""
        try:
            self.portal.run(self.inner.close(reason=reason, detail=detail))
        finally:
            self.portal.close()

    get_server_capabilities = waiting(AsyncServiceClient.get_server_capabilities)
    health = waiting(AsyncServiceClient.health)

    def create_lora_training_client(
        self, base_model: str, rank: int = 32, **options: Any
    ) -> TrainingClient:
        """A new adapter on a base model; options as in the async client."""
        made = self.inner.create_lora_training_client(base_model, rank, **options)
        return TrainingClient(self.portal, self.portal.run(made))

    def create_training_client_from_state(
        self, path: str, *, optimizer: bool = False, **options: Any
    ) -> TrainingClient:
        """Continue from a checkpoint; with `optimizer`, bit for bit."""
        made = self.inner.create_training_client_from_state(path, optimizer=optimizer, **options)
        return TrainingClient(self.portal, self.portal.run(made))

    def create_training_client_from_state_with_optimizer(
        self, path: str, **options: Any
    ) -> TrainingClient:
        """As `create_training_client_from_state(path, optimizer=True)`."""
        return self.create_training_client_from_state(path, optimizer=True, **options)

    def create_sampling_client(
        self, base_model: str | None = None, model_path: str | None = None, **options: Any
    ) -> SamplingClient:
        """Sample from a base model or from a checkpoint."""
        made = self.inner.create_sampling_client(base_model, model_path, **options)
        return SamplingClient(self.portal, self.portal.run(made))

    def join_sampling_session(self, sampling_session_id: str, **options: Any) -> SamplingClient:
        """A sampling client for a session that another process opened."""
        made = self.inner.join_sampling_session(sampling_session_id, **options)
        return SamplingClient(self.portal, self.portal.run(made))

    def create_rest_client(self) -> RestClient:
        """Runs, checkpoints, sessions; needs no session of its own."""
        return RestClient(self.portal, self.inner.create_rest_client())
