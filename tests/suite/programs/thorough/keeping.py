"""Checkpoints, and what there is to be read of runs, sessions and samplers."""

from saying import asked, known, resolved, told

METADATA = {"epoch": "3"}


def saved(client):
    """Paths of what was saved, by kind."""
    options = known(client.save_state, ttl_seconds=7200, user_metadata=METADATA, overwrite=True)
    line = asked("save_weights", path="kept", **options)
    state = told(line, client.save_state("kept", **options).result())
    options = known(client.save_weights_for_sampler, ttl_seconds=3600, user_metadata=METADATA)
    line = asked("save_weights_for_sampler", path="drawn", **options)
    weights = told(line, client.save_weights_for_sampler("drawn", **options).result())
    return state.path, weights.path


def loaded(service, model, path):
    for method, optimizer in (("load_state", False), ("load_state_with_optimizer", True)):
        client = resolved(service.create_lora_training_client(base_model=model, rank=8))
        if hasattr(client, method):
            model_id = client.get_info().model_id
            line = asked("load_weights", path=path, optimizer=optimizer, model_id=model_id)
            told(line, getattr(client, method)(path).result())
    create = service.create_training_client_from_state
    made = resolved(create(path, **known(create, user_metadata={"from": "state"})))
    asked("load_weights", path=path, usual={"optimizer": False})
    info = made.get_info()
    told(asked("get_info", model_id=info.model_id), info)


def described(service, run, state):
    rest = service.create_rest_client()
    pages(rest)
    read(rest.get_training_run, "get_training_run", run, run_id=run)
    read(rest.get_weights_info_by_tinker_path, "get_weights_info", state, tinker_path=state)
    read(rest.list_checkpoints, "list_run_checkpoints", run, run_id=run)
    session = run.split(":train:")[0]
    found = read(rest.get_session, "get_session", session, session_id=session)
    for name in found.sampler_ids[:1]:
        read(rest.get_sampler, "get_sampler", name, sampler_id=name)
    told(asked("get_server_capabilities"), service.get_server_capabilities())


def pages(rest):
    for method, operation in (
        (rest.list_training_runs, "list_training_runs"),
        (rest.list_user_checkpoints, "list_user_checkpoints"),
        (rest.list_sessions, "list_sessions"),
    ):
        told(asked(operation, limit=2, offset=1), method(limit=2, offset=1).result())


def read(method, operation, name, **meant):
    return told(asked(operation, **meant), method(name).result())


def changed(service, state, weights):
    rest = service.create_rest_client()
    parts = state.split("/")
    of = {"run_id": parts[2], "kind": parts[3], "name": parts[4]}
    asked("publish_checkpoint", **of)
    rest.publish_checkpoint_from_tinker_path(state).result()
    asked("unpublish_checkpoint", **of)
    rest.unpublish_checkpoint_from_tinker_path(state).result()
    if hasattr(rest, "set_checkpoint_ttl_from_tinker_path"):
        asked("set_checkpoint_ttl", ttl_seconds=5400, **of)
        rest.set_checkpoint_ttl_from_tinker_path(state, 5400).result()
    if hasattr(rest, "get_checkpoint_archive_url_from_tinker_path"):
        archive = rest.get_checkpoint_archive_url_from_tinker_path(weights).result()
        if not str(archive.url).startswith("http"):
            raise AssertionError(f"the archive is at {archive.url}")
    asked("delete_checkpoint", **of)
    rest.delete_checkpoint_from_tinker_path(state).result()
