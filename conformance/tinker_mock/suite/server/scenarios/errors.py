"""Users' mistakes: told at once, told clearly, and never answered as if the server were ill."""

import orjson

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.verdict import expect
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario

RETRIED = (408, 409, 429)
POSTS = (
    "create_session", "session_heartbeat", "create_model", "get_info", "optim_step",
    "save_weights", "load_weights", "create_sampling_session", "asample", "retrieve_future",
)  # fmt: skip


def nonsense(
    context: ScenarioContext, operation: str, content: bytes, kind: str = "application/json"
) -> Reply:
    """A body that cannot be read."""
    headers = {"content-type": kind}
    return context.client.call(operation, content=content, headers=headers, wrong=True)


@scenario("errors/unreadable")
def unreadable(context: ScenarioContext) -> None:
    """Bodies that are not JSON, or JSON of the wrong kind, for every operation of a session."""
    broken = [nonsense(context, name, b'{"session_id": "a", ') for name in POSTS]
    empty = [nonsense(context, name, b"") for name in POSTS]
    wrong = [nonsense(context, name, b"[1, 2, 3]") for name in POSTS]
    for check, replies in (
        ("errors/malformed-json/never-5xx", broken),
        ("errors/empty-body/never-5xx", empty),
        ("errors/wrong-type/never-5xx", wrong),
    ):
        with context.check(check):
            ill = {one.name: one.status for one in replies if one.status >= 500}
            expect(not ill, "the user's fault is not the server's", "4xx", ill)
    with context.check("errors/malformed-json/refused"):
        odd = {one.name: one.status for one in broken if one.status not in (400, 422)}
        expect(not odd, "malformed JSON is refused", "400 or 422", odd)
    with context.check("errors/malformed-json/at-once"):
        slow = {one.name: one.elapsed for one in broken if one.elapsed > 2.0}
        expect(not slow, "a refusal comes at once", "< 2 s", slow)
    refused = [one for one in (*broken, *empty, *wrong) if 400 <= one.status < 500]
    judge_refusals(context, refused)
    with context.check("errors/content-type/refused"):
        reply = nonsense(context, "create_session", b"tags=a", "text/plain")
        expect(400 <= reply.status < 500, "an unknown content type is refused", "415", reply.status)
    with context.check("errors/encoding/refused"):
        headers = {"content-encoding": "zstd", "content-type": "application/json"}
        reply = context.client.call(
            "create_session", content=b"no zstd", headers=headers, wrong=True
        )
        expect(400 <= reply.status < 500, "a body that does not unpack", "4xx", reply.status)
    with context.check("errors/server-lives-on"):
        context.client.call("healthz").require(200)


def judge_refusals(context: ScenarioContext, refused: list[Reply]) -> None:
    """The form of 4xx answers."""
    with context.check("errors/refusal/json"):
        for reply in refused:
            expect(reply.media_type == "application/json", "JSON", "JSON", reply.media_type)
            reply.json()
    with context.check("errors/refusal/detail"):
        for reply in refused:
            expect(reply.at("/detail"), "a refusal says why", "detail", reply.text)
    with context.check("errors/refusal/has-body"):
        for reply in refused:
            length = reply.headers.get("content-length", "")
            expect(length not in ("", "0"), "a 400 has a body and its length", "> 0", length)
    with context.check("errors/refusal/not-retried"):
        again = {one.name: one.status for one in refused if one.status in RETRIED}
        expect(not again, "not a status that clients retry", "400, 404, 415, 422", again)


@scenario("errors/unknown-things")
def unknown_things(context: ScenarioContext) -> None:
    """Readable bodies that name what is not there."""
    lost = "no-such-model"
    named = bodies.save_sampler(lost, 1, path="x")
    replies = [
        context.submit("optim_step", bodies.optim(lost, 1)).outcome().reply,
        context.submit("forward_backward", bodies.train(lost, 1)).outcome().reply,
        context.submit("save_weights", bodies.save(lost, 1, "x")).outcome().reply,
        context.submit("save_weights_for_sampler", named).outcome().reply,
        context.submit("asample", bodies.sample("no-such-sampler")).outcome().reply,
    ]
    with context.check("errors/unknown-model/never-5xx"):
        ill = {one.name: one.status for one in replies if one.status >= 500}
        expect(not ill, "the user's fault is not the server's", "4xx, or 200 with error", ill)
    with context.check("errors/unknown-model/final"):
        again = {one.name: one.status for one in replies if one.status in RETRIED}
        expect(not again, "not a status that clients retry", "404", again)
    with context.check("errors/unknown-model/named"):
        expect(lost in replies[0].text, "the message names it", lost, replies[0].text)
    with context.check("errors/missing-field/named"):
        reply = nonsense(context, "get_info", b"{}")
        expect("model_id" in reply.text, "the message names the field", "model_id", reply.text)
    with context.check("errors/wrong-field/named"):
        body = orjson.dumps({"tags": "not a list", "user_metadata": {}, "sdk_version": "0.24.1"})
        reply = nonsense(context, "create_session", body)
        expect("tags" in reply.text, "the message names the field", "tags", reply.text)
    with context.check("errors/huge-number/never-5xx"):
        reply = nonsense(context, "get_info", b'{"model_id": "a", "n": 1' + b"0" * 400 + b"}")
        expect(reply.status < 500, "any JSON number can be read", "4xx", reply.status)
    with context.check("errors/odd-text/never-5xx"):
        odd = orjson.dumps({"model_id": "\0' OR 1=1 --/../%00"})
        reply = nonsense(context, "get_info", odd)
        expect(reply.status < 500, "any text is survived", "below 500", reply.status)


@scenario("errors/idle")
def idle(context: ScenarioContext) -> None:
    """Work in a session that does not exist."""
    body = {"session_id": "no-such-session", "sampling_session_seq_id": 0, "base_model": "x"}
    reply = context.client.call("create_sampling_session", body)
    with context.check("errors/unknown-session/final"):
        final = reply.status < 500 and reply.status not in RETRIED
        expect(final, "an answer that no client retries", "404", reply.status)
    with context.check("errors/unknown-session/status"):
        expect(reply.status in (403, 404), "forbidden or not found", "403 or 404", reply.status)
