"""`RestClient` and `AdminClient` of `tinker`: each method hands out a future."""

from typing import Any

from tinker_mock.client import blocking
from tinker_mock.client.compat import calls
from tinker_mock.client.rest.admin import AsyncAdminClient
from tinker_mock.client.rest.renamed import RenamedRestClient as Rest
from tinker_mock.client.rest_twins import AdminTwins, RestTwins
from tinker_mock.client.twins import asking, twin


class AdminClient(AdminTwins):
    """Bills and the audit log, for those whose role allows it."""

    def __init__(self, *, base_url: str | None = None, api_key: str | None = None) -> None:
        service = blocking.ServiceClient(base_url=base_url, api_key=api_key)
        self.portal, self.inner = service.portal, service.inner.create_admin_client()

    def get_telemetry(self) -> Any:
        """What reports the session's events, if anything does."""
        return self.inner.get_telemetry()

    get_audit_log = asking(AsyncAdminClient.get_audit_log)
    get_billing_usage = asking(AsyncAdminClient.get_billing_usage)
    get_current_checkpoint_storage_usage = asking(
        AsyncAdminClient.get_current_checkpoint_storage_usage
    )


class RestClient(RestTwins):
    """Runs, checkpoints, sessions; needs no session of its own."""

    def __init__(self, *, base_url: str | None = None, api_key: str | None = None) -> None:
        service = blocking.ServiceClient(base_url=base_url, api_key=api_key)
        self.portal, self.inner = service.portal, service.inner.create_rest_client()

    list_training_runs = asking(Rest.list_training_runs)
    get_training_run = asking(Rest.get_training_run)
    get_training_run_by_tinker_path = asking(Rest.get_training_run_by_tinker_path)
    list_checkpoints = asking(Rest.list_checkpoints)
    list_user_checkpoints = asking(Rest.list_user_checkpoints)
    get_checkpoint_archive_url = asking(Rest.get_checkpoint_archive_url)
    get_external_weights_urls = asking(Rest.get_external_weights_urls)
    get_weights_info_by_tinker_path = asking(Rest.get_weights_info_by_tinker_path)
    get_sampler = asking(Rest.get_sampler)
    list_sessions = asking(Rest.list_sessions)
    get_session = asking(Rest.get_session)
    get_audit_log = asking(Rest.get_audit_log)
    get_billing_usage = asking(Rest.get_billing_usage)
    get_current_checkpoint_storage_usage = asking(Rest.get_current_checkpoint_storage_usage)
    get_server_capabilities = asking(Rest.get_server_capabilities)
    whoami = asking(Rest.whoami)
    delete_checkpoint_from_tinker_path = asking(Rest.delete_checkpoint_from_tinker_path)
    publish_checkpoint_from_tinker_path = asking(Rest.publish_checkpoint_from_tinker_path)
    unpublish_checkpoint_from_tinker_path = asking(Rest.unpublish_checkpoint_from_tinker_path)
    set_checkpoint_ttl_from_tinker_path = asking(Rest.set_checkpoint_ttl_from_tinker_path)
    get_checkpoint_archive_url_from_tinker_path = asking(
        Rest.get_checkpoint_archive_url_from_tinker_path
    )
    assign_session_project = asking(Rest.assign_session_project)
    delete_checkpoint = asking(calls.delete_checkpoint)
    copy_weights = asking(calls.copy_weights)
    export_session_trace = asking(calls.export_session_trace)
    search_sessions = asking(calls.search_sessions)
    get_audit_log_async = twin(Rest.get_audit_log)
    get_billing_usage_async = twin(Rest.get_billing_usage)
    get_current_checkpoint_storage_usage_async = twin(Rest.get_current_checkpoint_storage_usage)
    delete_checkpoint_async = twin(calls.delete_checkpoint)
    copy_weights_async = twin(calls.copy_weights)
    export_session_trace_async = twin(calls.export_session_trace)
