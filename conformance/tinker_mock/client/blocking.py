"""`ServiceClient` and the clients it makes, for programs without an event loop."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any, Self, Unpack

import httpx

from tinker_mock.client.clock import Clock
from tinker_mock.client.config import ClientConfig, ClientOptions
from tinker_mock.client.portal import Portal
from tinker_mock.client.rest.admin import AsyncAdminClient
from tinker_mock.client.rest.download import fetch_checkpoint
from tinker_mock.client.rest.renamed import RenamedRestClient
from tinker_mock.client.rest_twins import AdminTwins, RestTwins
from tinker_mock.client.sampling.client import AsyncSamplingClient
from tinker_mock.client.sampling.handles import SamplerHandle
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.session.heartbeat import HeartbeatSettings
from tinker_mock.client.training.client import AsyncTrainingClient
from tinker_mock.client.twins import (
    handing,
    making,
    making_async,
    streaming,
    submitting,
    twin,
    waiting,
)
from tinker_mock.client.watch.events import EventHub


class AdminClient(AdminTwins):
    """Blocking twin of `AsyncAdminClient`, with connections of its own."""

    def __init__(
        self, config: ClientConfig | None = None, **options: Unpack[ClientOptions]
    ) -> None:
        service = ServiceClient(config, **options)
        self.portal, self.inner = service.portal, service.inner.create_admin_client()

    get_audit_log = waiting(AsyncAdminClient.get_audit_log)
    get_billing_usage = waiting(AsyncAdminClient.get_billing_usage)
    get_current_checkpoint_storage_usage = waiting(
        AsyncAdminClient.get_current_checkpoint_storage_usage
    )


class RestClient(RestTwins):
    """Blocking twin of `AsyncRestClient`; made alone, it has connections of its own."""

    def __init__(
        self, config: ClientConfig | None = None, **options: Unpack[ClientOptions]
    ) -> None:
        service = ServiceClient(config, **options)
        self.portal, self.inner = service.portal, service.inner.create_rest_client()

    def pages(
        self, fetch: Callable[[int, int], Any], items: str, *, page_size: int = 100
    ) -> Iterator[Any]:
        """All items of a paged list: `pages(rest.list_training_runs, "training_runs")`."""

        def fetched(limit: int, offset: int) -> Awaitable[Any]:
            return asyncio.to_thread(fetch, limit, offset)

        return _PAGES(self, fetched, items, page_size=page_size)

    list_training_runs = waiting(RenamedRestClient.list_training_runs)
    get_training_run = waiting(RenamedRestClient.get_training_run)
    get_training_run_by_tinker_path = waiting(RenamedRestClient.get_training_run_by_tinker_path)
    list_checkpoints = waiting(RenamedRestClient.list_checkpoints)
    list_user_checkpoints = waiting(RenamedRestClient.list_user_checkpoints)
    delete_checkpoint = waiting(RenamedRestClient.delete_checkpoint)
    publish_checkpoint = waiting(RenamedRestClient.publish_checkpoint)
    unpublish_checkpoint = waiting(RenamedRestClient.unpublish_checkpoint)
    set_checkpoint_ttl = waiting(RenamedRestClient.set_checkpoint_ttl)
    get_checkpoint_archive_url = waiting(RenamedRestClient.get_checkpoint_archive_url)
    get_external_weights_urls = waiting(RenamedRestClient.get_external_weights_urls)
    get_weights_info_by_tinker_path = waiting(RenamedRestClient.get_weights_info_by_tinker_path)
    copy_weights = waiting(RenamedRestClient.copy_weights)
    get_sampler = waiting(RenamedRestClient.get_sampler)
    list_sessions = waiting(RenamedRestClient.list_sessions)
    get_session = waiting(RenamedRestClient.get_session)
    set_session_project = waiting(RenamedRestClient.set_session_project)
    finish_session = waiting(RenamedRestClient.finish_session)
    search_sessions = waiting(RenamedRestClient.search_sessions)
    search_checkpoints = waiting(RenamedRestClient.search_checkpoints)
    external_weights_upload_start = waiting(RenamedRestClient.external_weights_upload_start)
    external_weights_upload_finish = waiting(RenamedRestClient.external_weights_upload_finish)
    export_session_trace = waiting(RenamedRestClient.export_session_trace)
    download_checkpoint = waiting(fetch_checkpoint)
    get_audit_log = waiting(RenamedRestClient.get_audit_log)
    get_billing_usage = waiting(RenamedRestClient.get_billing_usage)
    get_current_checkpoint_storage_usage = waiting(
        RenamedRestClient.get_current_checkpoint_storage_usage
    )
    get_server_capabilities = waiting(RenamedRestClient.get_server_capabilities)
    whoami = waiting(RenamedRestClient.whoami)
    delete_checkpoint_from_tinker_path = waiting(
        RenamedRestClient.delete_checkpoint_from_tinker_path
    )
    publish_checkpoint_from_tinker_path = waiting(
        RenamedRestClient.publish_checkpoint_from_tinker_path
    )
    unpublish_checkpoint_from_tinker_path = waiting(
        RenamedRestClient.unpublish_checkpoint_from_tinker_path
    )
    set_checkpoint_ttl_from_tinker_path = waiting(
        RenamedRestClient.set_checkpoint_ttl_from_tinker_path
    )
    get_checkpoint_archive_url_from_tinker_path = waiting(
        RenamedRestClient.get_checkpoint_archive_url_from_tinker_path
    )
    delete_checkpoint_by_tinker_path = waiting(RenamedRestClient.delete_checkpoint_by_tinker_path)
    get_checkpoint_archive_url_by_tinker_path = waiting(
        RenamedRestClient.get_checkpoint_archive_url_by_tinker_path
    )
    assign_session_project = waiting(RenamedRestClient.assign_session_project)
    delete_checkpoint_async = twin(RenamedRestClient.delete_checkpoint)
    copy_weights_async = twin(RenamedRestClient.copy_weights)
    export_session_trace_async = twin(RenamedRestClient.export_session_trace)
    publish_checkpoint_async = twin(RenamedRestClient.publish_checkpoint)
    unpublish_checkpoint_async = twin(RenamedRestClient.unpublish_checkpoint)
    set_checkpoint_ttl_async = twin(RenamedRestClient.set_checkpoint_ttl)
    get_weights_info_by_tinker_path_async = twin(RenamedRestClient.get_weights_info_by_tinker_path)
    set_session_project_async = twin(RenamedRestClient.set_session_project)
    finish_session_async = twin(RenamedRestClient.finish_session)
    search_sessions_async = twin(RenamedRestClient.search_sessions)
    search_checkpoints_async = twin(RenamedRestClient.search_checkpoints)
    external_weights_upload_start_async = twin(RenamedRestClient.external_weights_upload_start)
    external_weights_upload_finish_async = twin(RenamedRestClient.external_weights_upload_finish)
    get_server_capabilities_async = twin(RenamedRestClient.get_server_capabilities)
    whoami_async = twin(RenamedRestClient.whoami)
    delete_checkpoint_by_tinker_path_async = twin(
        RenamedRestClient.delete_checkpoint_by_tinker_path
    )
    get_checkpoint_archive_url_by_tinker_path_async = twin(
        RenamedRestClient.get_checkpoint_archive_url_by_tinker_path
    )


class SamplingClient:
    """Blocking twin of `AsyncSamplingClient`."""

    def __init__(self, portal: Portal, inner: AsyncSamplingClient) -> None:
        self.portal = portal
        self.inner = inner

    @property
    def sampling_session_id(self) -> str:
        """The session that its samples belong to."""
        return self.inner.sampling_session_id

    sample = submitting(AsyncSamplingClient.sample)
    compute_logprobs = submitting(AsyncSamplingClient.compute_logprobs)
    sample_stream = streaming(AsyncSamplingClient.sample_stream)
    get_base_model = waiting(AsyncSamplingClient.get_base_model)
    get_tokenizer = waiting(AsyncSamplingClient.get_tokenizer)
    sample_async = twin(AsyncSamplingClient.sample)
    compute_logprobs_async = twin(AsyncSamplingClient.compute_logprobs)
    get_base_model_async = twin(AsyncSamplingClient.get_base_model)

    def get_telemetry(self) -> Any:
        """What reports the session's events, if anything does."""
        return self.inner.get_telemetry()

    def get_sampler_handle(self) -> str:
        """Text from which another process makes a client of the same sampler, without the key."""
        return self.inner.get_sampler_handle()

    @classmethod
    def from_sampler_handle(cls, handle: str, *, api_key: str | None = None) -> Self:
        """A client of the sampler behind a handle, with this process's key or the given one."""
        found = SamplerHandle.decode(handle)
        service = ServiceClient(base_url=found.base_url, preset=found.preset, api_key=api_key)
        inner = service.portal.run(service.inner.open_sampler_handle(handle))
        return cls(service.portal, inner)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled, it goes on in another process; the key travels with it."""
        key = self.inner.connection.config.api_key
        return _unpickled, (type(self), self.get_sampler_handle(), key)


class TrainingOperations:
    """What every blocking training client does alike."""

    def __init__(self, portal: Portal, inner: AsyncTrainingClient) -> None:
        self.portal = portal
        self.inner = inner

    @property
    def model_id(self) -> str:
        """The model under training, which is also its run."""
        return self.inner.model_id

    forward = submitting(AsyncTrainingClient.forward)
    forward_backward = submitting(AsyncTrainingClient.forward_backward)
    optim_step = submitting(AsyncTrainingClient.optim_step)
    save_state = submitting(AsyncTrainingClient.save_state)
    load_state = submitting(AsyncTrainingClient.load_state)
    load_state_with_optimizer = submitting(AsyncTrainingClient.load_state_with_optimizer)
    save_weights_for_sampler = submitting(AsyncTrainingClient.save_weights_for_sampler)
    save_weights_external = submitting(AsyncTrainingClient.save_weights_external)
    unload_model = submitting(AsyncTrainingClient.unload_model)
    get_info = waiting(AsyncTrainingClient.get_info)
    get_tokenizer = waiting(AsyncTrainingClient.get_tokenizer)
    encode = waiting(AsyncTrainingClient.encode)
    decode = waiting(AsyncTrainingClient.decode)

    forward_async = handing(AsyncTrainingClient.forward)
    forward_backward_async = handing(AsyncTrainingClient.forward_backward)
    optim_step_async = handing(AsyncTrainingClient.optim_step)
    save_state_async = handing(AsyncTrainingClient.save_state)
    load_state_async = handing(AsyncTrainingClient.load_state)
    load_state_with_optimizer_async = handing(AsyncTrainingClient.load_state_with_optimizer)
    save_weights_for_sampler_async = handing(AsyncTrainingClient.save_weights_for_sampler)
    save_weights_external_async = handing(AsyncTrainingClient.save_weights_external)
    get_info_async = twin(AsyncTrainingClient.get_info)

    def get_console_url(self) -> str:
        """Where the console shows this run."""
        return self.inner.get_console_url()

    def get_telemetry(self) -> Any:
        """What reports the session's events, if anything does."""
        return self.inner.get_telemetry()


class TrainingClient(TrainingOperations):
    """Blocking twin of `AsyncTrainingClient`."""

    forward_backward_custom = submitting(AsyncTrainingClient.forward_backward_custom)
    forward_backward_custom_async = handing(AsyncTrainingClient.forward_backward_custom)
    save_weights_and_get_sampling_client = making(
        AsyncTrainingClient.save_weights_and_get_sampling_client, SamplingClient
    )
    create_sampling_client = making(AsyncTrainingClient.create_sampling_client, SamplingClient)
    save_weights_and_get_sampling_client_async = making_async(
        AsyncTrainingClient.save_weights_and_get_sampling_client, SamplingClient
    )
    create_sampling_client_async = making_async(
        AsyncTrainingClient.create_sampling_client, SamplingClient
    )


class ServiceClient:
    """Blocking twin of `AsyncServiceClient`. Close it, or use `with`.

    A program that does neither is tidied up after when it ends.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        events: EventHub | None = None,
        http: httpx.AsyncBaseTransport | None = None,
        heartbeat: HeartbeatSettings | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        self.portal = Portal()

        def made() -> AsyncServiceClient:
            return AsyncServiceClient(
                config,
                clock=clock,
                random=random,
                events=events,
                http=http,
                heartbeat=heartbeat,
                **options,
            )

        try:
            self.inner = self.portal.call(made)
        except BaseException:
            self.portal.close()
            raise
        self.portal.at_end(self.inner.close)

    def __enter__(self) -> "ServiceClient":
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self.close(reason="success" if failure is None else "errored")

    def close(self, *, reason: str = "success", detail: str | None = None) -> None:
        """Finish the session and end the background loop; once more does nothing."""
        if self.portal.closed:
            return
        try:
            self.portal.run(self.inner.close(reason=reason, detail=detail))
        finally:
            self.portal.close()

    get_server_capabilities = waiting(AsyncServiceClient.get_server_capabilities)
    health = waiting(AsyncServiceClient.health)
    get = waiting(AsyncServiceClient.get)
    post = waiting(AsyncServiceClient.post)
    copy_weights = waiting(AsyncServiceClient.copy_weights)
    create_custom_loss = waiting(AsyncServiceClient.create_custom_loss)
    create_lora_training_client = making(
        AsyncServiceClient.create_lora_training_client, TrainingClient
    )
    create_training_client_from_state = making(
        AsyncServiceClient.create_training_client_from_state, TrainingClient
    )
    create_training_client_from_state_with_optimizer = making(
        AsyncServiceClient.create_training_client_from_state_with_optimizer, TrainingClient
    )
    create_sampling_client = making(AsyncServiceClient.create_sampling_client, SamplingClient)
    join_sampling_session = making(AsyncServiceClient.join_sampling_session, SamplingClient)
    open_sampler_handle = making(AsyncServiceClient.open_sampler_handle, SamplingClient)
    get_server_capabilities_async = twin(AsyncServiceClient.get_server_capabilities)

    create_lora_training_client_async = making_async(
        AsyncServiceClient.create_lora_training_client, TrainingClient
    )
    create_training_client_from_state_async = making_async(
        AsyncServiceClient.create_training_client_from_state, TrainingClient
    )
    create_training_client_from_state_with_optimizer_async = making_async(
        AsyncServiceClient.create_training_client_from_state_with_optimizer, TrainingClient
    )
    create_sampling_client_async = making_async(
        AsyncServiceClient.create_sampling_client, SamplingClient
    )

    def create_rest_client(self) -> RestClient:
        """Runs, checkpoints, sessions; needs no session of its own."""
        return RestClient.of(self.portal, self.inner.create_rest_client())

    def telemetry_reporter(self) -> Any:
        """What reports the session's events; `None` before the first session, or if turned off."""
        return self.inner.telemetry_reporter()

    def get_telemetry(self) -> Any:
        """As `telemetry_reporter`."""
        return self.inner.get_telemetry()

    def get_console_url(self) -> str:
        """Where the console shows this session."""
        return self.inner.get_console_url()


_PAGES = streaming(RenamedRestClient.pages)


def _unpickled(cls: type[SamplingClient], handle: str, api_key: str) -> SamplingClient:
    return cls.from_sampler_handle(handle, api_key=api_key)
