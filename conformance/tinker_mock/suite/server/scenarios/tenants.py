"""What strangers cannot do, what credentials are worth, and what reports count."""

from tinker_mock.suite.core.context import ScenarioContext, place
from tinker_mock.suite.core.http import RecordingClient
from tinker_mock.suite.core.verdict import Inapplicable, expect
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario

HIDDEN = (403, 404)


@scenario("auth/isolation-checkpoints")
def strangers(context: ScenarioContext) -> None:
    """A private checkpoint is out of a stranger's reach, in every way."""
    stranger = context.other_tenant()
    session = context.session()
    model = context.model(session)
    made = context.submit("save_weights", bodies.save(model, 1, "private")).result()
    path = str(made.at("/path"))
    context.delete_checkpoint_later(path)
    reads(context, stranger, model, path)
    with context.check("auth/isolation/checkpoint-deleted"):
        stranger.call("delete_checkpoint", path=place(path)).require(*HIDDEN)
        there = context.client.call("get_weights_info", {"tinker_path": path})
        there.require()
    with context.check("auth/isolation/checkpoint-changed"):
        stranger.call("publish_checkpoint", path=place(path)).require(*HIDDEN)
        tried = stranger.call("set_checkpoint_ttl", {"ttl_seconds": 7200}, path=place(path))
        tried.require(*HIDDEN)
    with context.check("auth/isolation/checkpoint-copied"):
        body = {"source_path": path, "destination_project_id": "conformance"}
        stranger.call("copy_weights", body).require(*HIDDEN)
    with context.check("checkpoints/unpublish/stranger-out"):
        context.client.call("publish_checkpoint", path=place(path)).require()
        stranger.call("get_weights_info", {"tinker_path": path}).require()
        context.client.call("unpublish_checkpoint", path=place(path)).require()
        stranger.call("get_weights_info", {"tinker_path": path}).require(*HIDDEN)


def reads(context: ScenarioContext, stranger: RecordingClient, model: str, path: str) -> None:
    """Describing, listing, loading, downloading."""
    with context.check("auth/isolation/checkpoint-read"):
        stranger.call("get_weights_info", {"tinker_path": path}).require(*HIDDEN)
        archive = stranger.call("get_checkpoint_archive", path=place(path))
        archive.require(*HIDDEN)
    with context.check("auth/isolation/checkpoint-listed"):
        listed = stranger.call("list_run_checkpoints", path={"run_id": model})
        shown = listed.at("/checkpoints") if listed.status == 200 else []
        expect(not shown, "a stranger sees none of a run's checkpoints", "none", shown)
        query = {"limit": "100", "offset": "0"}
        mine = stranger.call("list_user_checkpoints", query=query).require().at("/checkpoints")
        paths = [one.get("tinker_path") for one in mine]
        expect(path not in paths, "nor in the list of all", "absent", path)
        runs = stranger.call("list_training_runs", query=query).require().at("/training_runs")
        names = [one.get("training_run_id") for one in runs]
        expect(model not in names, "nor the run", "absent", model)


@scenario("auth/tokens")
def tokens(context: ScenarioContext) -> None:
    """A token stands for the key that it was given for, and only as it was given."""
    reply = context.client.call("create_auth_token", {})
    if reply.status in (404, 405) and not context.flag("pjwt_auth_enabled"):
        raise Inapplicable("the server does not exchange keys")
    token = str(reply.require(200).at("/jwt"))
    session = context.session()
    where = {"session_id": session}
    with context.check("auth/token/same-tenant"):
        context.client.call("get_session", path=where, headers={"x-api-key": token}).require(200)
    head, payload, signature = token.split(".")
    forged = f"{head}.{payload}.{'A' if signature[:1] != 'A' else 'B'}{signature[1:]}"
    tried = context.client.call("get_session", path=where, headers={"x-api-key": forged})
    with context.check("auth/token/forged"):
        tried.require(401, 403)
    with context.check("auth/token/challenge"):
        told = tried.headers.get("www-authenticate", "")
        expect("invalid_token" in told, "WWW-Authenticate says invalid_token", "Bearer …", told)


@scenario("service/large-bodies", last=True)
def large_bodies(context: ScenarioContext) -> None:
    """A batch as clients send it, 5 MB in one request, and fields that nobody knows."""
    model = context.model()
    with context.check("service/bodies/large"):
        data = [bodies.datum(*range(100, 500))] * 1000
        context.submit("forward", bodies.forward(model, 1, data=data)).result()
    with context.check("service/unknown-fields/everywhere"):
        extra = {"conformance_unknown": {"x": 1}}
        plain = bodies.logprobs(context.submit("forward_backward", bodies.train(model, 2)).result())
        work = {**bodies.train(model, 3), **extra}
        odd = context.submit("forward_backward", work, wrong=True).result()
        context.alike(bodies.logprobs(odd), plain, "the numbers it has without them")
        step = {**bodies.optim(model, 4), **extra}
        context.submit("optim_step", step, wrong=True).result()
        sampler = context.sampler()
        sample = {**bodies.sample(sampler, 1), **extra}
        context.submit("asample", sample, wrong=True).result()
