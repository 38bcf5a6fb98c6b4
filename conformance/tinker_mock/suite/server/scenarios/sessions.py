"""Sessions: created, kept alive, listed, searched, finished."""

import time
from typing import Any

import orjson

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.verdict import Inapplicable, Unmet, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.paging import listed
from tinker_mock.suite.server.scenario import scenario

POLLS = 5
SUCCESS = {"reason": {"type": "success"}, "detail": None}


def beat(context: ScenarioContext, session: str) -> Reply:
    """One heartbeat."""
    return context.client.call(
        "session_heartbeat", {"session_id": session, "type": "session_heartbeat"}
    )


@scenario("sessions/life")
def life(context: ScenarioContext) -> None:
    """A session is created, kept alive and found again."""
    first, second = context.session(), context.session()
    with context.check("sessions/create/id"):
        expect(first, "the session has an id", "a non-empty string", first)
    with context.check("sessions/create/unique"):
        expect(first != second, "each session has its own id", "two ids", first)
    with context.check("sessions/create/no-slash"):
        expect("/" not in first, "the id has no slash", "no /", first)
    with context.check("sessions/create/null-metadata"):
        kept(context, context.session(user_metadata=None), {})
    with context.check("sessions/create/project"):
        kept(context, context.session(project_id=None), {})
    with context.check("sessions/create/tags"):
        kept(context, context.session(tags=[]), {})
        about = {"purpose": "conformance"}
        kept(context, context.session(tags=["a", "b"], user_metadata=about), about)
    with context.check("sessions/heartbeat/alive"):
        body = beat(context, first).require().json()
        expect(body.get("type", "session_heartbeat") == "session_heartbeat", "type", "", body)
    with context.check("sessions/heartbeat/unknown"):
        beat(context, "no-such-session").require(403, 404, 410)
    find_again(context, first)


def kept(context: ScenarioContext, session: str, metadata: dict[str, str]) -> None:
    """Unmet unless the session is alive, and has its metadata where a server tells it."""
    beat(context, session).require()
    got = context.client.call("get_session", path={"session_id": session})
    if got.status == 200 and got.json().get("user_metadata") is not None:
        expect_equal(got.at("/user_metadata"), metadata, "its metadata")


def find_again(context: ScenarioContext, session: str) -> None:
    """The session is listed and can be read."""
    with context.check("sessions/list/contains"):
        there = listed(context, "list_sessions", "/sessions", session.__eq__)
        expect(there, "listed", session, "on no page")
    with context.check("sessions/list/limit"):
        one = context.client.call("list_sessions", query={"limit": "1", "offset": "0"})
        expect_equal(len(one.require().at("/sessions")), 1, "limit=1 gives one session")
    with context.check("sessions/list/scope"):
        scope = {"access_scope": "owned"}
        there = listed(context, "list_sessions", "/sessions", session.__eq__, **scope)
        expect(there, "listed as owned", session, "on no page")
    with context.check("sessions/get/lists"):
        got = context.client.call("get_session", path={"session_id": session}).require()
        expect_equal((got.at("/training_run_ids"), got.at("/sampler_ids")), ([], []), "empty")
    with context.check("sessions/get/scope"):
        query = {"access_scope": "owned"}
        context.client.call("get_session", path={"session_id": session}, query=query).require()
    with context.check("sessions/get/unknown"):
        lost = context.client.call("get_session", path={"session_id": "no-such-session"})
        lost.require(403, 404)


@scenario("sessions/contents")
def contents(context: ScenarioContext) -> None:
    """What happened in a session can be read from it."""
    named = context.applies("sessions/get/display-name")
    fields = {"display_name": "Night run"} if named else {}
    session = context.session(user_metadata={"team": "red"}, **fields)
    models = [context.model(session) for _ in range(2)]
    with context.check("sessions/get/runs"):
        got = context.client.call("get_session", path={"session_id": session}).require()
        expect_equal(sorted(got.at("/training_run_ids")), sorted(models), "the session's runs")
    with context.check("sessions/get/samplers"):
        samplers = [context.sampler(session) for _ in range(2)]
        got = context.client.call("get_session", path={"session_id": session}).require()
        expect_equal(sorted(got.at("/sampler_ids")), sorted(samplers), "the session's samplers")
    body = bodies.save(models[0], 1, "moved")
    saved = str(context.submit("save_weights", body).result().at("/path"))
    context.delete_checkpoint_later(saved)
    got = context.client.call("get_session", path={"session_id": session})
    with context.check("sessions/get/metadata"):
        expect_equal(got.require().at("/user_metadata"), {"team": "red"}, "metadata is kept")
    with context.check("sessions/get/display-name"):
        expect_equal(got.require().at("/display_name"), "Night run", "the name is kept")
    with context.check("sessions/project/set"):
        where = {"session_id": session}
        context.client.call("set_session_project", {"project_id": "blue"}, path=where).require()
    with context.check("sessions/project/effect"):
        found = search(context, session_id=session).at("/sessions/0/project_id")
        expect_equal(found, "blue", "a search tells its project")
    with context.check("runs/list/project"):
        there = {
            project: listed(
                context,
                "list_training_runs",
                "/training_runs",
                lambda run: run.get("training_run_id") in models,
                project_id=project,
            )
            for project in ("blue", "conformance-nowhere")
        }
        wanted = {"blue": True, "conformance-nowhere": False}
        expect_equal(there, wanted, "its runs are in its project and in no other")
    with context.check("sessions/project/moves"):
        found = context.client.call("search_checkpoints", {"project_ids": ["blue"]})
        if found.status in (403, 404, 405, 501):
            raise Inapplicable("checkpoints of a project are not searched here")
        paths = [one.get("tinker_path") for one in found.require().at("/checkpoints")]
        expect(saved in paths, "its checkpoints are in the project too", saved, paths)
    with context.check("sessions/trace-export/status"):
        export = context.client.call("export_session_trace", path={"session_id": session}).require()
        status = export.at("/status")
        expect(status in ("pending", "ready", "failed"), "a known status", "", status)
        expect(status != "ready" or export.json().get("url"), "ready has a url", "", export.text)
    with context.check("sessions/trace-export/times"):
        judge_trace(context, session)
    with context.check("sessions/trace-export/unknown"):
        context.client.call("export_session_trace", path={"session_id": "no-such"}).require(404)


def judge_trace(context: ScenarioContext, session: str) -> None:
    """Unmet unless what is told of the session's work lies in its time, in microseconds."""
    for _ in range(POLLS):
        export = context.client.call("export_session_trace", path={"session_id": session}).require()
        if export.at("/status") != "pending":
            break
    if export.at("/status") != "ready":
        raise Inapplicable("the trace is not ready at once")
    try:
        told = orjson.loads(b"".join(context.fetched(str(export.at("/url")))))
        slices = [one for one in told["traceEvents"] if one.get("ph") == "X"]
        spans = [(one["ts"] / 1e6, one["dur"] / 1e6) for one in slices]
    except (ValueError, KeyError, TypeError) as error:
        raise Inapplicable("the trace has another form than Chrome's trace events") from error
    now = time.time()
    for begin, length in spans:
        fine = 0 <= length <= 60 and now - 60 <= begin <= now + 60
        expect(fine, "each slice lies within the session", "a minute ago till now", (begin, length))
    longest = max((length for _, length in spans), default=0.0)
    expect(longest > 1e-6, "work takes microseconds at least", "> 1e-6 s", longest)


@scenario("sessions/end")
def end(context: ScenarioContext) -> None:
    """A client says that it is done."""
    session = context.session()
    where = {"session_id": session}
    with context.check("sessions/finish/unknown"):
        context.client.call("finish_session", SUCCESS, path={"session_id": "no-such"}).require(404)
    with context.check("sessions/finish/accepted"):
        context.client.call("finish_session", SUCCESS, path=where).require()
    with context.check("sessions/finish/again"):
        other = {"reason": {"type": "interrupted"}, "detail": "again"}
        context.client.call("finish_session", other, path=where).require()
    with context.check("sessions/finish/first-wins"):
        found = search(context, session_id=session).at("/sessions/0/status")
        expect_equal(found.get("reason", {}).get("type"), "success", "the first reason stays")
    with context.check("sessions/finish/heartbeat-gone"):
        beat(context, session).require(410)
    with context.check("sessions/finish/no-more-models"):
        outcome = context.create_model(session).outcome()
        expect(outcome.failed, "a finished session takes no more work", "refused", outcome.value)


def search(context: ScenarioContext, **fields: Any) -> Reply:
    """A session search."""
    body = {"user_metadata": {}, "owner": {"type": "own"}, "limit": 50, **fields}
    return context.client.call("search_sessions", body).require()


@scenario("sessions/search")
def searching(context: ScenarioContext) -> None:
    """Sessions are found by what is known about them."""
    mark = {"lot": f"lot-{context.session()}"}
    named = [context.session(user_metadata=mark, display_name=f"Job {n}") for n in range(3)]
    with context.check("sessions/search/by-id"):
        found = search(context, session_id=named[0]).at("/sessions")
        expect_equal([one["session_id"] for one in found], named[:1], "the one session")
    with context.check("sessions/create/project-kept"):
        project = {"project_id": "conformance-red"}
        try:
            named_one = context.session(**project)
        except Unmet as unmet:
            raise Inapplicable("the server makes no project of a name") from unmet
        found = search(context, session_id=named_one).at("/sessions/0")
        expect_equal(found.get("project_id"), "conformance-red", "the project that was named")
    with context.check("sessions/search/by-metadata"):
        found = search(context, user_metadata=mark).at("/sessions")
        expect_equal({one["session_id"] for one in found}, set(named), "all of the lot")
    with context.check("sessions/search/by-name"):
        found = search(context, user_metadata=mark, display_name="Job 1").at("/sessions")
        expect_equal([one["session_id"] for one in found], [named[1]], "the named one")
    with context.check("sessions/search/by-status"):
        context.client.call("finish_session", SUCCESS, path={"session_id": named[2]}).require()
        done = [{"type": "client_finished", "reasons": ["success"]}]
        found = search(context, user_metadata=mark, statuses=done).at("/sessions")
        expect_equal([one["session_id"] for one in found], [named[2]], "the finished one")
        alive = search(context, user_metadata=mark, statuses=[{"type": "active"}]).at("/sessions")
        names = {one["session_id"] for one in alive}
        expect_equal(names, set(named[:2]), "those that are not finished")
    with context.check("sessions/search/limit"):
        found = search(context, user_metadata=mark, limit=2).at("/sessions")
        expect_equal(len(found), 2, "limit=2 gives two")
    with context.check("sessions/search/pages"):
        first = search(context, user_metadata=mark, limit=2)
        rest = search(context, user_metadata=mark, limit=2, cursor=first.at("/next_cursor"))
        pages = [one["session_id"] for one in first.at("/sessions") + rest.at("/sessions")]
        expect_equal(sorted(pages), sorted(named), "the pages together are everything, once")
    with context.check("sessions/search/summary"):
        one = search(context, session_id=named[0]).at("/sessions/0")
        wanted = {"session_id", "created_at", "owner", "project_id", "checkpoints_count"}
        expect(wanted <= set(one), "a summary has its fields", sorted(wanted), sorted(one))


@scenario("sessions/separate")
def separate(context: ScenarioContext) -> None:
    """Counters belong to sessions: the same numbers in two sessions do not collide."""
    with context.check("sessions/model-counters/separate"):
        first, second = context.model(), context.model()
        expect(first != second, "two models", "two ids", first)
        context.submit("forward_backward", bodies.train(second, 1)).result()
