"""What blocking clients of the REST API share, however their plain methods answer."""

from typing import Any, Self

from tinker_mock.client.portal import Portal
from tinker_mock.client.rest.admin import AsyncAdminClient
from tinker_mock.client.rest.renamed import RenamedRestClient as Rest
from tinker_mock.client.twins import twin


class AdminTwins:
    """The `_async` methods of an admin client."""

    portal: Portal
    inner: AsyncAdminClient

    get_audit_log_async = twin(AsyncAdminClient.get_audit_log)
    get_billing_usage_async = twin(AsyncAdminClient.get_billing_usage)
    get_current_checkpoint_storage_usage_async = twin(
        AsyncAdminClient.get_current_checkpoint_storage_usage
    )


class RestTwins:
    """The `_async` methods of a REST client, and how it is made on connections that are there."""

    portal: Portal
    inner: Rest

    @classmethod
    def of(cls, portal: Portal, inner: Rest) -> Self:
        """On connections that are there."""
        client = cls.__new__(cls)
        client.portal, client.inner = portal, inner
        return client

    def get_telemetry(self) -> Any:
        """What reports the session's events, if anything does."""
        return self.inner.get_telemetry()

    list_training_runs_async = twin(Rest.list_training_runs)
    get_training_run_async = twin(Rest.get_training_run)
    get_training_run_by_tinker_path_async = twin(Rest.get_training_run_by_tinker_path)
    list_checkpoints_async = twin(Rest.list_checkpoints)
    list_user_checkpoints_async = twin(Rest.list_user_checkpoints)
    delete_checkpoint_from_tinker_path_async = twin(Rest.delete_checkpoint_from_tinker_path)
    publish_checkpoint_from_tinker_path_async = twin(Rest.publish_checkpoint_from_tinker_path)
    unpublish_checkpoint_from_tinker_path_async = twin(Rest.unpublish_checkpoint_from_tinker_path)
    set_checkpoint_ttl_from_tinker_path_async = twin(Rest.set_checkpoint_ttl_from_tinker_path)
    get_external_weights_urls_async = twin(Rest.get_external_weights_urls)
    get_sampler_async = twin(Rest.get_sampler)
    list_sessions_async = twin(Rest.list_sessions)
    get_session_async = twin(Rest.get_session)
    assign_session_project_async = twin(Rest.assign_session_project)
    get_checkpoint_archive_url_async = twin(Rest.get_checkpoint_archive_url)
    get_checkpoint_archive_url_from_tinker_path_async = twin(
        Rest.get_checkpoint_archive_url_from_tinker_path
    )
