"""The one table that binds operations to handlers.

A handler reads the exchange, calls the service and returns a JSON body (200) or an Answer.
Chapters are imported when one of their operations is first asked for.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tinker_mock.contracts import Operation
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.wire.exchange import Answer, Exchange

if TYPE_CHECKING:
    from tinker_mock.server.handlers import (
        auth,
        billing,
        checkpoints,
        futures,
        models,
        runs,
        sampling,
        service,
        sessions,
        telemetry,
        text,
        text_models,
        training,
        weights,
    )
else:
    auth = LazyModule("tinker_mock.server.handlers.auth")
    billing = LazyModule("tinker_mock.server.handlers.billing")
    checkpoints = LazyModule("tinker_mock.server.handlers.checkpoints")
    futures = LazyModule("tinker_mock.server.handlers.futures")
    models = LazyModule("tinker_mock.server.handlers.models")
    runs = LazyModule("tinker_mock.server.handlers.runs")
    sampling = LazyModule("tinker_mock.server.handlers.sampling")
    service = LazyModule("tinker_mock.server.handlers.service")
    sessions = LazyModule("tinker_mock.server.handlers.sessions")
    telemetry = LazyModule("tinker_mock.server.handlers.telemetry")
    text = LazyModule("tinker_mock.server.handlers.text")
    text_models = LazyModule("tinker_mock.server.handlers.text_models")
    training = LazyModule("tinker_mock.server.handlers.training")
    weights = LazyModule("tinker_mock.server.handlers.weights")

Outcome = Answer | dict[str, Any]
Handler = Callable[[Backend, Exchange], Outcome | Awaitable[Outcome]]

HANDLERS: dict[str, Handler] = {
    "healthz": service.healthz,
    "get_server_capabilities": service.get_server_capabilities,
    "get_client_config": service.get_client_config,
    "get_dynamic_config": service.get_dynamic_config,
    "get_auth_config": auth.get_auth_config,
    "create_auth_token": auth.create_auth_token,
    "create_api_key": auth.create_api_key,
    "get_my_api_key": auth.get_my_api_key,
    "delete_my_api_key": auth.delete_my_api_key,
    "create_session": sessions.create_session,
    "session_heartbeat": sessions.session_heartbeat,
    "finish_session": sessions.finish_session,
    "list_sessions": sessions.list_sessions,
    "get_session": sessions.get_session,
    "set_session_project": sessions.set_session_project,
    "export_session_trace": sessions.export_session_trace,
    "search_sessions": sessions.search_sessions,
    "create_model": models.create_model,
    "get_info": models.get_info,
    "unload_model": models.unload_model,
    "get_weights_info": weights.get_weights_info,
    "copy_weights": weights.copy_weights,
    "forward": training.forward,
    "forward_backward": training.forward_backward,
    "optim_step": training.optim_step,
    "create_custom_loss": training.create_custom_loss,
    "create_sampling_session": sampling.create_sampling_session,
    "join_sampling_session": sampling.join_sampling_session,
    "get_sampler": sampling.get_sampler,
    "asample": sampling.asample,
    "stream_sample": sampling.stream_sample,
    "retrieve_future": futures.retrieve_future,
    "retrieve_futures": futures.retrieve_futures,
    "cancel_future": futures.cancel_future,
    "save_weights": weights.save_weights,
    "save_weights_for_sampler": weights.save_weights_for_sampler,
    "save_weights_external": weights.save_weights_external,
    "load_weights": weights.load_weights,
    "list_run_checkpoints": checkpoints.list_run_checkpoints,
    "list_user_checkpoints": checkpoints.list_user_checkpoints,
    "delete_checkpoint": checkpoints.delete_checkpoint,
    "publish_checkpoint": checkpoints.publish_checkpoint,
    "unpublish_checkpoint": checkpoints.unpublish_checkpoint,
    "set_checkpoint_ttl": checkpoints.set_checkpoint_ttl,
    "get_checkpoint_archive": checkpoints.get_checkpoint_archive,
    "get_external_weights_urls": checkpoints.get_external_weights_urls,
    "download_file": checkpoints.download_file,
    "upload_file": weights.upload_file,
    "search_checkpoints": checkpoints.search_checkpoints,
    "external_weights_upload_start": weights.external_weights_upload_start,
    "external_weights_upload_finish": weights.external_weights_upload_finish,
    "list_training_runs": runs.list_training_runs,
    "get_training_run": runs.get_training_run,
    "send_telemetry": telemetry.send_telemetry,
    "get_audit_log": billing.get_audit_log,
    "get_billing_usage": billing.get_billing_usage,
    "get_checkpoint_storage_usage": billing.get_checkpoint_storage_usage,
    "list_text_models": text_models.list_text_models,
    "get_text_model": text_models.get_text_model,
    "list_anthropic_models": text_models.list_anthropic_models,
    "get_anthropic_model": text_models.get_anthropic_model,
    "create_completion": text.create_completion,
    "create_chat_completion": text.create_chat_completion,
    "create_message": text.create_message,
    "count_message_tokens": text.count_message_tokens,
}
"""operationId -> its handler, for both contracts: Tinker's own and the text endpoints'."""


def handlers_of(
    operations: Iterable[Operation], table: Mapping[str, Handler] = HANDLERS
) -> dict[str, Handler]:
    """The handler of every operation; raises ConfigurationError when one is missing."""
    operations = list(operations)
    missing = [f"{op.id} ({op.method} {op.path})" for op in operations if op.id not in table]
    if missing:
        raise ConfigurationError(f"operations without a handler: {', '.join(missing)}")
    return {op.id: table[op.id] for op in operations}
