"""HTTP: retries, headers, queries, bodies, addresses."""

from typing import Any

import httpx

from tinker_mock.client.config.presets import TINKEX
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.pools import normalize_base_url
from tinker_mock.client.http.requests import NOT_GIVEN, OMIT, prepare_body, standard_headers
from tinker_mock.client.http.retry import HttpRetryPolicy, retryable_status
from tinker_mock.client.http.throttle import RateLimitBuckets
from tinker_mock.suite.vectors.client.stage import (
    KEY,
    Captured,
    Component,
    Stage,
    config,
    outcome,
    run,
)
from tinker_mock.suite.vectors.comparison import Partial


def http_retry(given: Any, entry: Any) -> Any:
    if isinstance(given, int):
        if entry["name"] == "retryable status":
            return retryable_status(given)
        bounds = [_delay(given, random) for random in (0.0, 1.0)]
        return {"min_ms": round(bounds[0] * 1000), "max_ms": round(bounds[1] * 1000)}
    options: dict[str, Any] = {"max_retries": 1} if "max_retries=1" in entry["name"] else {}
    stage = Stage(given["responses"], **options)

    async def send() -> Any:
        async with stage.transport() as transport:
            return await transport.send(Call("GET", "/api/v1/x"))

    result = outcome(lambda: run(send()), lambda _: {"ok": True})
    if "error" in result:
        result |= {"category": result["error"]["category"]}
    if "delay_ms" in entry["expected"]:
        result |= {"delay_ms": round(stage.clock.sleeps[0] * 1000)}
    return Partial(result | {"requests": len(stage.script.requests)})


def _delay(attempt: int, random: float) -> float:
    return HttpRetryPolicy(TINKEX, lambda: random, lambda: 0.0).delay(attempt)


def http_headers(given: Any, entry: Any) -> Any:
    headers = standard_headers(config(**given), 60.0)
    if "log_contains" in entry["expected"]:
        stage = Stage([200], dump_headers=True, cf_access_client_id="cf-id", **given)
        with Captured() as captured:
            run(_send_one(stage, Call("GET", "/api/v1/x")))
        assert KEY not in captured.text
        return {"log": captured.text}
    if "absent" in entry["expected"]:
        return {"absent": [name for name in entry["expected"]["absent"] if name not in headers]}
    return {"headers": {name: headers[name] for name in entry["expected"]["headers"]}}


def http_query(given: Any, _entry: Any) -> Any:
    stage = Stage([200], default_query=given["default_query"])
    run(_send_one(stage, Call("GET", given["path"], query=given["query"])))
    return {"params": dict(stage.script.requests[0].url.params)}


def http_body(given: Any, entry: Any) -> Any:
    stage = Stage([200])
    run(_send_one(stage, Call("POST", "/x", json=given["body"], files=_files(given))))
    request = stage.script.requests[0]
    kind = request.headers["content-type"]
    if "json" in entry["expected"]:
        import json

        return {"content_type": kind, "json": json.loads(request.content)}
    return {"content_type": kind, "body": request.content.decode()}


def _files(given: Any) -> Any:
    return {name: text.encode() for name, text in given.get("files", {}).items()}


async def _send_one(stage: Stage, call: Call) -> httpx.Request:
    async with stage.transport() as transport:
        await transport.send(call)
    return stage.script.requests[-1]


def pool_key(given: Any, _entry: Any) -> Any:
    return (
        outcome(
            lambda: normalize_base_url(given),
        )
        if _is_url(given)
        else {"error": _rejection(given)}
    )


def _is_url(text: str) -> bool:
    return bool(httpx.URL(text).host)


def _rejection(text: str) -> str:
    return str(outcome(lambda: normalize_base_url(text))["error"]["message"])


def rate_limiter(given: Any, _entry: Any) -> Any:
    stage = Stage([200])
    buckets = RateLimitBuckets(stage.clock)
    if isinstance(given, list):
        first, second = (buckets.bucket(url, key) for url, key in given)
        return {"same_bucket": first is second}
    limiter = buckets.bucket("https://server", KEY)
    limiter.set_backoff(given["set_backoff_ms"] / 1000)
    run(limiter.wait())
    waited = stage.clock.monotonic() * 1000
    limiter.set_backoff(1.0)
    limiter.clear()
    cleared = "no backoff" if limiter.remaining == 0 else "backoff"
    return {"wait_at_least_ms": 100 if waited >= 100 else waited, "after_clear": cleared}


def transform(given: Any, entry: Any) -> Any:
    return prepare_body(_sentinels(given), drop_nulls=entry["name"].startswith("drop_nil"))


def _sentinels(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sentinels(item) for name, item in value.items()}
    return {"<NOT_GIVEN>": NOT_GIVEN, "<OMIT>": OMIT}.get(value, value) if _text(value) else value


def _text(value: Any) -> bool:
    return isinstance(value, str)


COMPONENTS: dict[str, Component] = {
    "HTTPRetry": http_retry,
    "HTTPHeaders": http_headers,
    "HTTPQuery": http_query,
    "HTTPBody": http_body,
    "PoolKey": pool_key,
    "RateLimiter": rate_limiter,
    "Transform": transform,
}
