"""Listings, checkpoints, sessions, billing: RestClient and AdminClient."""

import io
import tarfile
from datetime import UTC, datetime, timedelta
from typing import Any

from tinker import types

from .step import MODEL, NotInRelease, Shared, method, released, step
from .weights import download

PROJECT = "project-audit"


@step("rest/client", "create_rest_client")
def client(shared: Shared) -> None:
    shared.keep("rest", shared.service.create_rest_client())
    admin = getattr(shared.service, "create_admin_client", None)
    shared.keep("admin", admin() if admin else shared.rest)


@step("rest/list-training-runs", "list_training_runs, paged")
def list_training_runs(shared: Shared) -> None:
    page = shared.rest.list_training_runs(limit=2, offset=0).result()
    assert len(page.training_runs) == 2
    assert page.cursor.total_count >= 3
    whole = shared.rest.list_training_runs(limit=100).result().training_runs
    assert shared.training.model_id in [run.training_run_id for run in whole]


@step("rest/get-training-run", "get_training_run")
def get_training_run(shared: Shared) -> None:
    run = shared.rest.get_training_run(shared.training.model_id).result()
    assert (run.base_model, run.is_lora, run.lora_rank) == (MODEL, True, 16)
    assert run.user_metadata == {"run": "audit"}
    assert run.last_checkpoint is not None
    assert run.last_sampler_checkpoint is not None


@step("rest/run-by-path", "get_training_run_by_tinker_path")
def run_by_path(shared: Shared) -> None:
    run = shared.rest.get_training_run_by_tinker_path(shared.state).result()
    assert run.training_run_id == shared.training.model_id


@step("rest/weights-info", "get_weights_info_by_tinker_path")
def weights_info(shared: Shared) -> None:
    info = shared.rest.get_weights_info_by_tinker_path(shared.state).result()
    assert (info.base_model, info.lora_rank) == (MODEL, 16)


@step("rest/list-checkpoints", "list_checkpoints of a run")
def list_checkpoints(shared: Shared) -> None:
    found = shared.rest.list_checkpoints(shared.training.model_id).result().checkpoints
    by_path = {checkpoint.tinker_path: checkpoint for checkpoint in found}
    assert {shared.state, shared.sampler_path} <= set(by_path)
    assert by_path[shared.state].checkpoint_type == "training"
    assert by_path[shared.sampler_path].checkpoint_type == "sampler"


@step("rest/list-user-checkpoints", "list_user_checkpoints, paged")
def list_user_checkpoints(shared: Shared) -> None:
    page = shared.rest.list_user_checkpoints(limit=1).result()
    assert len(page.checkpoints) == 1
    assert page.cursor.total_count >= 2


@step("rest/archive", "the archive of a checkpoint, downloaded")
def archive(shared: Shared) -> None:
    get = method(shared.rest, "get_checkpoint_archive_url_from_tinker_path")
    answer = get(shared.sampler_path).result()
    assert answer.expires > datetime.now(answer.expires.tzinfo)
    with tarfile.open(fileobj=io.BytesIO(download(answer.url))) as content:
        names = {name.split("/")[-1] for name in content.getnames()}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= names, names


@step("rest/ttl", "set_checkpoint_ttl, and its removal")
def ttl(shared: Shared) -> None:
    put = method(shared.rest, "set_checkpoint_ttl_from_tinker_path")

    def expires() -> Any:
        found = shared.rest.list_checkpoints(shared.training.model_id).result().checkpoints
        return next(c.expires_at for c in found if c.tinker_path == shared.state)

    put(shared.state, 7200).result()
    assert expires() is not None
    put(shared.state, None).result()
    assert expires() is None


@step("rest/publish", "publish and unpublish")
def publish(shared: Shared) -> None:
    def public() -> bool:
        found = shared.rest.list_checkpoints(shared.training.model_id).result().checkpoints
        return bool(next(c.public for c in found if c.tinker_path == shared.state))

    shared.rest.publish_checkpoint_from_tinker_path(shared.state).result()
    assert public()
    shared.rest.unpublish_checkpoint_from_tinker_path(shared.state).result()
    assert not public()


@step("rest/delete-checkpoint", "delete a checkpoint")
def delete(shared: Shared) -> None:
    path = shared.training.save_state("doomed").result().path
    shared.rest.delete_checkpoint_from_tinker_path(path).result()
    found = shared.rest.list_checkpoints(shared.training.model_id).result().checkpoints
    assert path not in [checkpoint.tinker_path for checkpoint in found]


@step("rest/sessions", "list_sessions and get_session")
def sessions(shared: Shared) -> None:
    session = session_id(shared)
    assert session in shared.rest.list_sessions(limit=100).result().sessions
    found = shared.rest.get_session(session).result()
    assert shared.training.model_id in found.training_run_ids
    assert found.sampler_ids


def session_id(shared: Shared) -> str:
    return str(shared.training.model_id).split(":train:")[0]


@step("rest/sampler", "get_sampler")
def sampler(shared: Shared) -> None:
    found = shared.rest.get_session(session_id(shared)).result()
    samplers = [shared.rest.get_sampler(name).result() for name in found.sampler_ids]
    assert MODEL in [entry.base_model for entry in samplers]
    assert shared.sampler_path in [entry.model_path for entry in samplers]


@step("rest/project", "assign_session_project, and listing by project")
def project(shared: Shared) -> None:
    method(shared.rest, "assign_session_project")(session_id(shared), PROJECT).result()


@step("rest/trace", "export_session_trace")
def trace(shared: Shared) -> None:
    url = method(shared.rest, "export_session_trace")(session_id(shared)).result()
    assert len(download(url)) > 0


@step("rest/search", "search_sessions by metadata")
def search(shared: Shared) -> None:
    find = method(shared.rest, "search_sessions")
    request = types.SessionSearchRequest(user_metadata={"audit": "yes"}, limit=200)
    found = find(request).result().sessions
    assert session_id(shared) in [entry.session_id for entry in found]


@step("admin/audit-log", "get_audit_log")
def audit_log(shared: Shared) -> None:
    owner = shared.admin if hasattr(shared.admin, "get_audit_log") else shared.rest
    entries = method(owner, "get_audit_log")().result().entries
    assert any(entry.tinker_path == shared.state for entry in entries)


@step("admin/billing", "get_billing_usage: tokens of this run")
def billing(shared: Shared) -> None:
    owner = shared.admin if hasattr(shared.admin, "get_billing_usage") else shared.rest
    usage = method(owner, "get_billing_usage")
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    found = usage(hour - timedelta(hours=1), hour + timedelta(hours=1)).result().data
    kinds = {entry.event_info.type for entry in found}
    assert {"training", "sampling_sample"} <= kinds, kinds


@step("admin/storage", "get_current_checkpoint_storage_usage")
def storage(shared: Shared) -> None:
    name = "get_current_checkpoint_storage_usage"
    owner = shared.admin if hasattr(shared.admin, name) else shared.rest
    found = method(owner, name)().result().data
    assert sum(item.checkpoint_count for item in found) >= 2


@step("rest/console-url", "get_console_url")
def console_url(shared: Shared) -> None:
    assert str(method(shared.training, "get_console_url")()).startswith("http")


@step("losses/custom-handle", "create_custom_loss, then forward_backward_custom with the handle")
def custom_handle(shared: Shared) -> None:
    create = method(shared.service, "create_custom_loss")
    if not released("0.36"):
        raise NotInRelease("no ServiceClient.create_custom_loss")
    from .step import datum

    def loss(logprobs: Any, weights: Any) -> Any:
        total = -(logprobs * weights).sum()
        return total, {"custom/mine:sum": total}

    handle = create(loss, {"logprobs": 1, "weights": 1}).result()
    output = shared.training.forward_backward_custom([datum()], handle).result()
    assert output.metrics["custom/mine:sum"] >= 0
    shared.training.optim_step(types.AdamParams(learning_rate=1e-4)).result()
