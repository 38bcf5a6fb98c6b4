"""Programs that ask for records: sessions, checkpoints, copies, bills.

Loaded in a real SDK's environment too: nothing but the standard library and `situation`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from tinker_mock.suite.cassettes.situation import BASE, TOKENS, pair, short, situation


@situation()
def external_weights(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    api.needs("save_weights_external", training)
    path = api.wait(training.save_weights_external("files")).path
    rest = api.rest()
    api.needs("get_external_weights_urls", rest)
    urls = api.wait(rest.get_external_weights_urls(path)).urls
    return {"files": sorted(urls)}


@situation()
def copied_weights(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    rest = api.rest()
    api.needs("copy_weights", rest)
    path = api.wait(training.save_state("kept")).path
    return {"kind": api.copy(rest, path, "project-other").split("/")[-2]}


@situation()
def sessions(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    sampling = api.sampling(base_model=BASE)
    api.samples(sampling, TOKENS, 1, short(api))
    rest = api.rest()
    session = training.model_id.partition(":")[0]
    listed = api.wait(rest.list_sessions()).sessions
    found = api.wait(rest.get_session(session))
    values = {"listed": session in listed, "runs": len(found.training_run_ids)}
    if hasattr(rest, "get_sampler"):
        sampler = api.wait(rest.get_sampler(found.sampler_ids[0]))
        values["sampled"] = sampler.base_model
    return values


@situation()
def checkpoint_life(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    rest = api.rest()
    api.needs("set_checkpoint_ttl_from_tinker_path", rest)
    path = api.wait(training.save_state("kept", ttl_seconds=7200)).path
    everything = api.wait(rest.list_user_checkpoints(limit=5)).checkpoints
    api.wait(rest.set_checkpoint_ttl_from_tinker_path(path, None))
    run = api.wait(rest.get_training_run_by_tinker_path(path))
    return {"expires": everything[0].expires_at is not None, "base_model": run.base_model}


@situation()
def archive_link(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    rest = api.rest()
    api.needs("get_checkpoint_archive_url_from_tinker_path", rest)
    path = api.wait(training.save_state("kept")).path
    link = api.wait(rest.get_checkpoint_archive_url_from_tinker_path(path))
    return {"linked": link.url.startswith("http")}


@situation()
def administration(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    api.wait(training.forward([pair(api)], "cross_entropy"))
    rest = api.rest()
    api.needs("get_audit_log", rest)
    values: dict[str, Any] = {"audited": len(api.audit_log(rest))}
    session = training.model_id.partition(":")[0]
    if hasattr(rest, "assign_session_project"):
        api.wait(rest.assign_session_project(session, "project-moved"))
    if hasattr(rest, "export_session_trace"):
        values["trace"] = api.trace(rest, session)
    return values


@situation()
def accounts(api: Any) -> dict[str, Any]:
    """What is stored, and what was billed on a day long ago."""
    training = api.training(BASE, rank=4, seed=1)
    api.wait(training.save_state("kept"))
    rest = api.rest()
    api.needs("get_current_checkpoint_storage_usage", rest)
    stored = api.wait(rest.get_current_checkpoint_storage_usage()).data
    day = datetime(2026, 1, 1, tzinfo=UTC)
    used = api.wait(rest.get_billing_usage(day, day + timedelta(hours=1))).data
    return {"checkpoints": sum(item.checkpoint_count for item in stored), "billed": len(used)}


@situation()
def found_sessions(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    rest = api.rest()
    api.needs("search_sessions", rest)
    found = api.search_sessions(rest, {"nobody": "has this"})
    return {"model": training.model_id.partition(":")[2], "found": len(found)}


@situation(clients=("python-latest",))
def uploads(api: Any) -> dict[str, Any]:
    """Calls that are announced for the release after the newest."""
    rest = api.rest()
    lora = {"rank": 4, "train_mlp": True, "train_attn": True, "train_unembed": True}
    values = {"start": api.failure(lambda: rest.external_weights_upload_start(BASE, lora))}
    values["finish"] = api.failure(lambda: rest.external_weights_upload_finish("no-such-upload"))
    return {**values, "health": api.service.health(), "found": len(_searched(rest))}


def _searched(rest: Any) -> list[Any]:
    return list(rest.search_checkpoints(limit=5).checkpoints)
