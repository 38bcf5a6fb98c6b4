"""Single calls: which answers are asked for again and when, and what a request looks like."""

import json
import logging
from typing import Any

import httpx
import pytest

from tests.client.conftest import KEY, ScriptedServer, config
from tests.client.opened import service
from tinker_mock.client import ApiConnectionError, ApiStatusError, ManualClock, ValidationError
from tinker_mock.client.config.presets import TINKEX
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.pools import normalize_base_url
from tinker_mock.client.http.requests import NOT_GIVEN, OMIT, prepare_body, standard_headers
from tinker_mock.client.http.retry import HttpRetryPolicy, retryable_status
from tinker_mock.client.http.throttle import RateLimitBuckets
from tinker_mock.client.http.transport import Transport

OK = httpx.Response(200, json={"status": "ok"})
LOST = httpx.ConnectError("refused")


def refused(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(
        status, json={}, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (200, False),
        (302, False),
        (401, False),
        (409, True),
        (410, False),
        (429, True),
        (500, True),
        (502, True),
        (503, True),
        (599, True),
    ],
)
def test_statuses_worth_another_attempt(status: int, again: bool) -> None:
    assert retryable_status(status) is again


@pytest.mark.parametrize(
    ("attempt", "least", "most"),
    [
        (0, 0.375, 0.5),
        (1, 0.75, 1.0),
        (2, 1.5, 2.0),
        (3, 3.0, 4.0),
        (4, 6.0, 8.0),
    ],
)
def test_waits_double_less_a_quarter_of_chance(attempt: int, least: float, most: float) -> None:
    waits = [
        HttpRetryPolicy(TINKEX, lambda chance=chance: chance, lambda: 0.0).delay(attempt)
        for chance in (0.0, 1.0)
    ]
    assert sorted(waits) == [pytest.approx(least), pytest.approx(most)]


async def health(answers: list[Any], clock: ManualClock, **options: Any) -> tuple[str, int]:
    """What `health` says, and after how many requests."""
    server = ScriptedServer({"healthz": answers})
    async with service(server, clock, **options) as opened:
        return await opened.health(), server.paths().count("healthz")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        ([refused(503), refused(503), OK], 3),
        ([refused(408), OK], 2),
        ([LOST, OK], 2),
        ([refused(404, x_should_retry="true"), OK], 2),
        ([refused(503, retry_after_ms="9999"), OK], 2),
    ],
)
async def test_what_may_pass_is_tried_again(
    clock: ManualClock, answers: list[Any], requests: int
) -> None:
    assert await health(answers, clock) == ("ok", requests)
    assert max(clock.sleeps) <= 1.0  # by the schedule, whatever a 503 advises


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("header", "wait"), [({"RETRY-AFTER-MS": "5"}, 0.005), ({"Retry-After": "1"}, 1.0)]
)
async def test_a_429_may_say_when(clock: ManualClock, header: dict[str, str], wait: float) -> None:
    assert await health([httpx.Response(429, json={}, headers=header), OK], clock) == ("ok", 2)
    assert clock.sleeps[0] == pytest.approx(wait)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answers", "options", "status", "category", "requests"),
    [
        ([refused(400)], {}, 400, "user", 1),
        ([refused(503, x_should_retry="false")], {}, 503, "server", 1),
        ([refused(503)] * 3, {"max_retries": 1}, 503, "server", 2),
    ],
)
async def test_what_will_not_pass_is_an_error(
    clock: ManualClock,
    answers: list[Any],
    options: dict[str, Any],
    status: int,
    category: str,
    requests: int,
) -> None:
    server = ScriptedServer({"healthz": answers})
    with pytest.raises(ApiStatusError) as caught:
        async with service(server, clock, **options) as opened:
            await opened.health()
    assert (caught.value.status, caught.value.category) == (status, category)
    assert len(server.requests) == requests


@pytest.mark.anyio
async def test_a_connection_lost_once_too_often_is_an_error_of_its_own(clock: ManualClock) -> None:
    server = ScriptedServer({"healthz": [LOST, LOST, OK]})
    with pytest.raises(ApiConnectionError) as caught:
        async with service(server, clock, max_retries=1) as opened:
            await opened.health()
    assert (caught.value.kind, len(server.requests)) == ("api_connection", 2)


def test_cloudflare_headers_are_sent_in_pairs() -> None:
    pair = {"cf-access-client-id": "cf-id", "cf-access-client-secret": "cf-secret"}
    options = {name.replace("-", "_"): value for name, value in pair.items()}
    sent = standard_headers(config("tinkex", **options), 60.0)
    assert {name: sent[name] for name in pair} == pair
    assert not pair.keys() & standard_headers(config("tinkex"), 60.0).keys()


@pytest.mark.anyio
async def test_dumped_headers_hide_secrets(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    options = {"cf_access_client_id": "cf-id", "cf_access_client_secret": "super-secret"}
    await health([OK], clock, dump_headers=True, **options)
    assert "[REDACTED]" in caplog.text
    assert "super-secret" not in caplog.text
    assert KEY not in caplog.text


async def sent(call: Call, **options: Any) -> httpx.Request:
    server = ScriptedServer({call.path.partition("?")[0].removeprefix("/api/v1/"): {}})
    settings = config("tinkex", **options)
    async with Transport(settings, clock=ManualClock(), http=server) as transport:
        await transport.send(call)
    return server.requests[0]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("default", "path", "query", "params"),
    [
        ({"from": "default"}, "/default", {"extra": 1}, {"from": "default", "extra": "1"}),
        (
            {"mode": "default"},
            "/override?path=1",
            {"mode": "override"},
            {"mode": "override", "path": "1"},
        ),
    ],
)
async def test_a_calls_query_joins_and_beats_the_default_one(
    default: dict[str, str], path: str, query: dict[str, Any], params: dict[str, str]
) -> None:
    request = await sent(Call("GET", path, query=query), default_query=default)
    assert dict(request.url.params) == params


@pytest.mark.anyio
async def test_a_body_is_json_and_with_files_a_form() -> None:
    plain = await sent(Call("POST", "/x", json={"hello": "world"}))
    assert plain.headers["content-type"] == "application/json"
    assert json.loads(plain.content) == {"hello": "world"}
    files = {"file": b"file content"}
    form = await sent(Call("POST", "/x", json={"description": "desc"}, files=files))
    assert "multipart/form-data" in form.headers["content-type"]
    for part in ('Content-Disposition: form-data; name="file"', "file content", "description"):
        assert part in form.content.decode()


@pytest.mark.parametrize(
    ("body", "drop_nulls", "prepared"),
    [
        (
            {"a": 1, "b": NOT_GIVEN, "c": None, "nested": {"skip": OMIT, "keep": "ok"}},
            False,
            {"a": 1, "c": None, "nested": {"keep": "ok"}},
        ),
        ({"a": 1, "b": None, "c": "hello", "d": None}, True, {"a": 1, "c": "hello"}),
        ({"a": False, "b": 0, "c": None, "d": ""}, True, {"a": False, "b": 0, "d": ""}),
        ({"model_id": "m", "optional": None}, True, {"model_id": "m"}),
        (
            {"session_id": "test-session", "num_samples": 1, "prompt_logprobs": None},
            True,
            {"session_id": "test-session", "num_samples": 1},
        ),
    ],
)
def test_what_was_left_out_is_not_sent_and_falsy_values_are(
    body: dict[str, Any], drop_nulls: bool, prepared: dict[str, Any]
) -> None:
    assert prepare_body(body, drop_nulls=drop_nulls) == prepared


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("https://example.com", "https://example.com"),
        ("https://EXAMPLE.COM", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("https://Example.Com:8080", "https://example.com:8080"),
    ],
)
def test_one_server_has_one_address(address: str, normal: str) -> None:
    assert normalize_base_url(address) == normal


@pytest.mark.parametrize("address", ["not-a-url", "https://"])
def test_addresses_without_a_host_are_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="invalid base_url"):
        normalize_base_url(address)


@pytest.mark.anyio
async def test_callers_of_one_server_with_one_key_hold_back_together(clock: ManualClock) -> None:
    buckets = RateLimitBuckets(clock)
    limiter = buckets.bucket("https://example.com", "key-1")
    assert buckets.bucket("https://EXAMPLE.com:443", "key-1") is limiter
    limiter.set_backoff(0.12)
    await limiter.wait()
    assert clock.monotonic() >= 0.1
    limiter.set_backoff(1.0)
    limiter.clear()
    assert limiter.remaining == 0
