"""Sessions: created, kept alive, listed, searched, finished."""

from typing import Any

from tinker_mock.suite.core import bodies
from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.paging import listed
from tinker_mock.suite.core.scenario import scenario
from tinker_mock.suite.core.verdict import expect, expect_equal

SUCCESS = {"reason": {"type": "success"}, "detail": None}


def beat(stage: Stage, session: str) -> Reply:
    """One heartbeat."""
    return stage.hands.call(
        "session_heartbeat", {"session_id": session, "type": "session_heartbeat"}
    )


@scenario(
    "sessions/life",
    "sessions/create/id",
    "sessions/create/unique",
    "sessions/create/no-slash",
    "sessions/create/null-metadata",
    "sessions/create/project",
    "sessions/create/tags",
    "sessions/heartbeat/alive",
    "sessions/heartbeat/unknown",
    "sessions/list/contains",
    "sessions/list/limit",
    "sessions/list/scope",
    "sessions/get/lists",
    "sessions/get/scope",
    "sessions/get/unknown",
)
def life(stage: Stage) -> None:
    """A session is created, kept alive and found again."""
    first, second = stage.session(), stage.session()
    with stage.check("sessions/create/id"):
        expect(first, "the session has an id", "a non-empty string", first)
    with stage.check("sessions/create/unique"):
        expect(first != second, "each session has its own id", "two ids", first)
    with stage.check("sessions/create/no-slash"):
        expect("/" not in first, "the id has no slash", "no /", first)
    with stage.check("sessions/create/null-metadata"):
        stage.session(user_metadata=None)
    with stage.check("sessions/create/project"):
        stage.session(project_id=None)
    with stage.check("sessions/create/tags"):
        stage.session(tags=[])
        stage.session(tags=["a", "b"], user_metadata={"purpose": "conformance"})
    with stage.check("sessions/heartbeat/alive"):
        body = beat(stage, first).require().json()
        expect(body.get("type", "session_heartbeat") == "session_heartbeat", "type", "", body)
    with stage.check("sessions/heartbeat/unknown"):
        beat(stage, "no-such-session").require(404, 410)
    find_again(stage, first)


def find_again(stage: Stage, session: str) -> None:
    """The session is listed and can be read."""
    with stage.check("sessions/list/contains"):
        there = listed(stage, "list_sessions", "/sessions", session.__eq__)
        expect(there, "listed", session, "on no page")
    with stage.check("sessions/list/limit"):
        one = stage.hands.call("list_sessions", query={"limit": "1", "offset": "0"})
        expect_equal(len(one.require().at("/sessions")), 1, "limit=1 gives one session")
    with stage.check("sessions/list/scope"):
        scope = {"access_scope": "owned"}
        there = listed(stage, "list_sessions", "/sessions", session.__eq__, **scope)
        expect(there, "listed as owned", session, "on no page")
    with stage.check("sessions/get/lists"):
        got = stage.hands.call("get_session", path={"session_id": session}).require()
        expect_equal((got.at("/training_run_ids"), got.at("/sampler_ids")), ([], []), "empty")
    with stage.check("sessions/get/scope"):
        query = {"access_scope": "owned"}
        stage.hands.call("get_session", path={"session_id": session}, query=query).require()
    with stage.check("sessions/get/unknown"):
        stage.hands.call("get_session", path={"session_id": "no-such-session"}).require(404)


@scenario(
    "sessions/contents",
    "sessions/get/runs",
    "sessions/get/samplers",
    "sessions/get/metadata",
    "sessions/get/display-name",
    "sessions/project/set",
    "sessions/trace-export/status",
    "sessions/trace-export/unknown",
)
def contents(stage: Stage) -> None:
    """What happened in a session can be read from it."""
    named = stage.applies("sessions/get/display-name")
    fields = {"display_name": "Night run"} if named else {}
    session = stage.session(user_metadata={"team": "red"}, **fields)
    with stage.check("sessions/get/runs"):
        model = stage.model(session)
        got = stage.hands.call("get_session", path={"session_id": session}).require()
        expect(model in got.at("/training_run_ids"), "the run is listed", model, got.text)
    with stage.check("sessions/get/samplers"):
        sampler = stage.sampler(session)
        got = stage.hands.call("get_session", path={"session_id": session}).require()
        expect(sampler in got.at("/sampler_ids"), "the sampler is listed", sampler, got.text)
    got = stage.hands.call("get_session", path={"session_id": session})
    with stage.check("sessions/get/metadata"):
        expect_equal(got.require().at("/user_metadata"), {"team": "red"}, "metadata is kept")
    with stage.check("sessions/get/display-name"):
        expect_equal(got.require().at("/display_name"), "Night run", "the name is kept")
    with stage.check("sessions/project/set"):
        where = {"session_id": session}
        stage.hands.call("set_session_project", {"project_id": "blue"}, path=where).require()
    with stage.check("sessions/trace-export/status"):
        export = stage.hands.call("export_session_trace", path={"session_id": session}).require()
        status = export.at("/status")
        expect(status in ("pending", "ready", "failed"), "a known status", "", status)
        expect(status != "ready" or export.json().get("url"), "ready has a url", "", export.text)
    with stage.check("sessions/trace-export/unknown"):
        stage.hands.call("export_session_trace", path={"session_id": "no-such"}).require(404)


@scenario(
    "sessions/end",
    "sessions/finish/accepted",
    "sessions/finish/again",
    "sessions/finish/heartbeat-gone",
    "sessions/finish/no-more-models",
    "sessions/finish/unknown",
)
def end(stage: Stage) -> None:
    """A client says that it is done."""
    session = stage.session()
    where = {"session_id": session}
    with stage.check("sessions/finish/unknown"):
        stage.hands.call("finish_session", SUCCESS, path={"session_id": "no-such"}).require(404)
    with stage.check("sessions/finish/accepted"):
        stage.hands.call("finish_session", SUCCESS, path=where).require()
    with stage.check("sessions/finish/again"):
        other = {"reason": {"type": "interrupted"}, "detail": "again"}
        stage.hands.call("finish_session", other, path=where).require()
    with stage.check("sessions/finish/heartbeat-gone"):
        beat(stage, session).require(410)
    with stage.check("sessions/finish/no-more-models"):
        outcome = stage.create_model(session).outcome()
        expect(outcome.failed, "a finished session takes no more work", "refused", outcome.value)


def search(stage: Stage, **fields: Any) -> Reply:
    """A session search."""
    body = {"user_metadata": {}, "owner": {"type": "own"}, "limit": 50, **fields}
    return stage.hands.call("search_sessions", body).require()


@scenario(
    "sessions/search",
    "sessions/search/by-id",
    "sessions/search/by-metadata",
    "sessions/search/by-name",
    "sessions/search/by-status",
    "sessions/search/limit",
    "sessions/search/pages",
    "sessions/search/summary",
)
def searching(stage: Stage) -> None:
    """Sessions are found by what is known about them."""
    mark = {"lot": f"lot-{stage.session()}"}
    named = [stage.session(user_metadata=mark, display_name=f"Job {n}") for n in range(3)]
    with stage.check("sessions/search/by-id"):
        found = search(stage, session_id=named[0]).at("/sessions")
        expect_equal([one["session_id"] for one in found], named[:1], "the one session")
    with stage.check("sessions/search/by-metadata"):
        found = search(stage, user_metadata=mark).at("/sessions")
        expect_equal({one["session_id"] for one in found}, set(named), "all of the lot")
    with stage.check("sessions/search/by-name"):
        found = search(stage, user_metadata=mark, display_name="Job 1").at("/sessions")
        expect_equal([one["session_id"] for one in found], [named[1]], "the named one")
    with stage.check("sessions/search/by-status"):
        stage.hands.call("finish_session", SUCCESS, path={"session_id": named[2]}).require()
        done = [{"type": "client_finished", "reasons": ["success"]}]
        found = search(stage, user_metadata=mark, statuses=done).at("/sessions")
        expect_equal([one["session_id"] for one in found], [named[2]], "the finished one")
    with stage.check("sessions/search/limit"):
        found = search(stage, user_metadata=mark, limit=2).at("/sessions")
        expect_equal(len(found), 2, "limit=2 gives two")
    with stage.check("sessions/search/pages"):
        first = search(stage, user_metadata=mark, limit=2)
        rest = search(stage, user_metadata=mark, limit=2, cursor=first.at("/next_cursor"))
        pages = [one["session_id"] for one in first.at("/sessions") + rest.at("/sessions")]
        expect_equal(sorted(pages), sorted(named), "the pages together are everything, once")
    with stage.check("sessions/search/summary"):
        one = search(stage, session_id=named[0]).at("/sessions/0")
        wanted = {"session_id", "created_at", "owner", "project_id", "checkpoints_count"}
        expect(wanted <= set(one), "a summary has its fields", sorted(wanted), sorted(one))


@scenario("sessions/separate", "sessions/model-counters/separate")
def separate(stage: Stage) -> None:
    """Counters belong to sessions: the same numbers in two sessions do not collide."""
    with stage.check("sessions/model-counters/separate"):
        first, second = stage.model(), stage.model()
        expect(first != second, "two models", "two ids", first)
        stage.submit("forward_backward", bodies.train(second, 1)).result()
