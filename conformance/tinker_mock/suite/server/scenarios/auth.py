"""Credentials: refused ones, exchanged ones, and what one tenant sees of another."""

import base64
from typing import Any

import orjson

from tinker_mock.suite.core import bodies
from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.scenario import scenario
from tinker_mock.suite.core.verdict import Inapplicable, Unmet, expect

REFUSED = (401, 403)


def refusal(stage: Stage, key: str | None) -> Reply:
    """What an operation on a tenant's own things says to this credential; it changes nothing."""
    body = {"model_id": "no-such-model", "type": "get_info"}
    return stage.hands.call("get_info", body, headers={"x-api-key": key})


@scenario(
    "auth/refusals",
    "auth/missing-key/refused",
    "auth/malformed-key/refused",
    "auth/refusal/status",
    "auth/refusal/detail",
    "auth/refusal/at-once",
    "auth/refusal/every-operation",
    reads_only=True,
)
def refusals(stage: Stage) -> None:
    """No key, or one that no SDK would send."""
    missing, malformed = refusal(stage, None), refusal(stage, "not-a-tinker-key")
    with stage.check("auth/missing-key/refused"):
        missing.require(*REFUSED)
    with stage.check("auth/malformed-key/refused"):
        malformed.require(*REFUSED)
    refused = [reply for reply in (missing, malformed) if reply.status >= 300]
    with stage.check("auth/refusal/status"):
        for reply in refused:
            reply.require(*REFUSED)
    with stage.check("auth/refusal/detail"):
        for reply in refused:
            expect(reply.at("/detail"), "a refusal says why", "detail", reply.text)
    with stage.check("auth/refusal/at-once"):
        for reply in refused:
            expect(reply.elapsed < 2.0, "a refusal comes at once", "< 2 s", reply.elapsed)
    with stage.check("auth/refusal/every-operation"):
        body = {"request_id": "none"}
        reply = stage.hands.call("retrieve_future", body, headers={"x-api-key": None})
        expect(reply.status in (*REFUSED, 404), "polls need a key too", "401", reply.status)


def claims(token: str) -> dict[str, Any]:
    """The payload of a JWT; Unmet if it is none."""
    parts = token.split(".")
    expect(len(parts) == 3, "the token has three segments", 3, token)
    try:
        payload = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError as error:
        raise Unmet("the token's payload is base64url JSON", "JSON", parts[1]) from error
    expect(isinstance(payload, dict), "the token's payload is an object", "object", payload)
    return dict(payload)


@scenario(
    "auth/token-exchange",
    "auth/token/jwt",
    "auth/token/expiry",
    "auth/token/issued-at",
    "auth/token/accepted",
    "auth/apikey-me/identity",
)
def token_exchange(stage: Stage) -> None:
    """A key is exchanged for a short-lived token, which then stands for it."""
    reply = stage.hands.call("create_auth_token", {})
    if reply.status in (404, 405) and not stage.flag("pjwt_auth_enabled"):
        raise Inapplicable("the server neither exchanges keys nor asks for it (pjwt_auth_enabled)")
    with stage.check("auth/token/jwt"):
        claims(str(reply.require(200).at("/jwt")))
    with stage.check("auth/apikey-me/identity"):
        me = stage.hands.call("get_my_api_key").require(200)
        expect(type(me.at("/key_id")) is int, "key_id is an integer", "int", me.text)
    token = str(reply.require(200).at("/jwt"))
    payload = claims(token)
    with stage.check("auth/token/expiry"):
        moment = payload.get("exp")
        expect(isinstance(moment, int | float), "exp is a number", "seconds", moment)
    with stage.check("auth/token/issued-at"):
        moment = payload.get("iat")
        good = isinstance(moment, int | float) and moment < payload.get("exp", 0)
        expect(good, "iat is a number before exp", "seconds", payload)
    with stage.check("auth/token/accepted"):
        stage.hands.call("get_server_capabilities", headers={"x-api-key": token}).require(200)


@scenario(
    "auth/isolation",
    "auth/isolation/session",
    "auth/isolation/model",
    "auth/isolation/promise",
    "auth/isolation/sampler",
    "auth/isolation/run",
    "auth/isolation/listing",
)
def isolation(stage: Stage) -> None:
    """One tenant's things do not exist for another."""
    stranger = stage.other_tenant()
    session = stage.session()
    created = stage.create_model(session)
    model = str(created.result().at("/model_id"))
    hidden = (403, 404)
    with stage.check("auth/isolation/session"):
        stranger.call("get_session", path={"session_id": session}).require(*hidden)
    with stage.check("auth/isolation/model"):
        stranger.call("get_info", {"model_id": model, "type": "get_info"}).require(*hidden)
    with stage.check("auth/isolation/promise"):
        stranger.call("retrieve_future", {"request_id": created.request_id}).require(*hidden)
    with stage.check("auth/isolation/sampler"):
        sampler = stage.sampler(session)
        tried = stranger.call("asample", bodies.sample(sampler))
        if tried.status < 300:
            tried = stranger.call("retrieve_future", {"request_id": str(tried.at("/request_id"))})
            expect(tried.status >= 400 or "error" in tried.json(), "no sample", "404", tried.text)
        else:
            tried.require(*hidden)
    with stage.check("auth/isolation/run"):
        stranger.call("get_training_run", path={"run_id": model}).require(*hidden)
    with stage.check("auth/isolation/listing"):
        listed = stranger.call("list_sessions", query={"limit": "100", "offset": "0"}).require()
        expect(session not in listed.at("/sessions"), "not listed", "absent", session)
