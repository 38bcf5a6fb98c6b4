"""Credentials: refused ones, exchanged ones, and what one tenant sees of another."""

import base64
import time
from typing import Any

import orjson

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.verdict import Inapplicable, Unmet, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario

REFUSED = (401, 403)


def refusal(context: ScenarioContext, key: str | None) -> Reply:
    """What an operation on a tenant's own things says to this credential; it changes nothing."""
    body = {"model_id": "no-such-model", "type": "get_info"}
    return context.client.call("get_info", body, headers={"x-api-key": key})


@scenario("auth/refusals", reads_only=True)
def refusals(context: ScenarioContext) -> None:
    """No key, or one that no SDK would send."""
    missing, malformed = refusal(context, None), refusal(context, "not-a-tinker-key")
    with context.check("auth/missing-key/refused"):
        missing.require(*REFUSED)
    with context.check("auth/malformed-key/refused"):
        malformed.require(*REFUSED)
    known = refusal(context, context.target.key)
    usual = (known.status, known.body)
    refused = [one for one in (missing, malformed) if (one.status, one.body) != usual]
    with context.check("auth/refusal/status"):
        if not refused:
            raise Inapplicable("no credential is refused (auth/missing-key/refused says so)")
        for reply in refused:
            reply.require(*REFUSED)
    with context.check("auth/refusal/detail"):
        for reply in refused:
            expect(reply.at("/detail"), "a refusal says why", "detail", reply.text)
    with context.check("auth/refusal/at-once"):
        for reply in refused:
            expect(reply.elapsed < 2.0, "a refusal comes at once", "< 2 s", reply.elapsed)
    with context.check("auth/refusal/every-operation"):
        body = {"request_id": "none"}
        reply = context.client.call("retrieve_future", body, headers={"x-api-key": None})
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


@scenario("auth/token-exchange")
def token_exchange(context: ScenarioContext) -> None:
    """A key is exchanged for a short-lived token, which then stands for it."""
    reply = context.client.call("create_auth_token", {})
    if reply.status in (404, 405) and not context.flag("pjwt_auth_enabled"):
        raise Inapplicable("the server neither exchanges keys nor asks for it (pjwt_auth_enabled)")
    with context.check("auth/token/jwt"):
        claims(str(reply.require(200).at("/jwt")))
    with context.check("auth/apikey-me/identity"):
        me = context.client.call("get_my_api_key").require(200)
        expect(type(me.at("/key_id")) is int, "key_id is an integer", "int", me.text)
    with context.check("auth/apikey-me/organization"):
        me = context.client.call("get_my_api_key").require(200)
        names = (me.at("/details/org_details/name"), me.at("/details/user_details/email"))
        expect(all(names), "its organization and its user", "names", me.text)
    token = str(reply.require(200).at("/jwt"))
    payload = claims(token)
    with context.check("auth/token/organization"):
        again = claims(str(context.client.call("create_auth_token", {}).require(200).at("/jwt")))
        expect(payload.get("org_id"), "the payload names the key's organization", "org_id", payload)
        expect_equal(again.get("org_id"), payload["org_id"], "the same every time")
        stranger = context.other_tenant().call("create_auth_token", {}).require(200)
        other = claims(str(stranger.at("/jwt"))).get("org_id")
        expect(other != payload["org_id"], "another tenant's is another", "two ids", other)
    with context.check("auth/token/expiry"):
        moment = payload.get("exp")
        expect(isinstance(moment, int | float), "exp is a number", "seconds", moment)
        expect(float(moment or 0) > time.time(), "the token lasts a while", "> now", moment)
    with context.check("auth/token/issued-at"):
        moment = payload.get("iat")
        good = isinstance(moment, int | float) and moment < payload.get("exp", 0)
        expect(good, "iat is a number before exp", "seconds", payload)
    with context.check("auth/token/accepted"):
        context.client.call("get_server_capabilities", headers={"x-api-key": token}).require(200)


@scenario("auth/isolation")
def isolation(context: ScenarioContext) -> None:
    """One tenant's things do not exist for another."""
    stranger = context.other_tenant()
    session = context.session()
    created = context.create_model(session)
    model = str(created.result().at("/model_id"))
    hidden = (403, 404)
    with context.check("auth/isolation/session"):
        stranger.call("get_session", path={"session_id": session}).require(*hidden)
    with context.check("auth/isolation/model"):
        stranger.call("get_info", {"model_id": model, "type": "get_info"}).require(*hidden)
    with context.check("auth/isolation/promise"):
        stranger.call("retrieve_future", {"request_id": created.request_id}).require(*hidden)
    with context.check("auth/isolation/sampler"):
        sampler = context.sampler(session)
        stranger.call("get_sampler", path={"sampler_id": sampler}).require(*hidden)
        tried = stranger.call("asample", bodies.sample(sampler))
        if tried.status < 300:
            tried = stranger.call("retrieve_future", {"request_id": str(tried.at("/request_id"))})
            expect(tried.status >= 400 or "error" in tried.json(), "no sample", "404", tried.text)
        else:
            tried.require(*hidden)
    with context.check("auth/isolation/run"):
        stranger.call("get_training_run", path={"run_id": model}).require(*hidden)
    with context.check("auth/isolation/listing"):
        listed = stranger.call("list_sessions", query={"limit": "100", "offset": "0"}).require()
        expect(session not in listed.at("/sessions"), "not listed", "absent", session)
