"""Whose fault a failure is, and what the client makes of answers that are none."""

from typing import Any

import httpx
import pytest

from tests.client.conftest import ScriptedServer, config
from tests.client.opened import service
from tinker_mock.client import (
    ApiStatusError,
    Category,
    ManualClock,
    QueueState,
    RequestFailedError,
    TinkerError,
    ValidationError,
)
from tinker_mock.client.config.presets import TINKEX
from tinker_mock.client.http.call import Call, Reply
from tinker_mock.client.http.responses import redirect_target, status_error
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.training.loss_functions import parse_loss_fn
from tinker_mock.client.types.results import parse_stop_reason


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("unknown", Category.UNKNOWN),
        ("UNKNOWN", Category.UNKNOWN),
        ("Server", Category.SERVER),
        ("USER", Category.USER),
        ("invalid", Category.UNKNOWN),
        (None, Category.UNKNOWN),
    ],
)
def test_categories_are_read_in_any_case(text: str | None, category: Category) -> None:
    assert Category.parse(text) is category


def test_only_users_mistakes_are_pointless_to_repeat() -> None:
    assert [one.value for one in Category if one.retryable] == ["unknown", "server"]


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (QueueState.parse, "active", "active"),
        (QueueState.parse, "PAUSED_RATE_LIMIT", "paused_rate_limit"),
        (QueueState.parse, "mystery_state", "unknown"),
        (QueueState.parse, None, "unknown"),
        (parse_stop_reason, "stop", "stop"),
        (parse_stop_reason, "length", "length"),
        (parse_stop_reason, "max_tokens", None),
        (parse_stop_reason, "unknown_value", None),
        (parse_loss_fn, "cross_entropy", "cross_entropy"),
        (parse_loss_fn, "cispo", "cispo"),
        (parse_loss_fn, "dro", "dro"),
        (parse_loss_fn, "mse", None),
        (parse_loss_fn, "unknown", None),
        (parse_loss_fn, None, None),
    ],
)
def test_words_of_the_wire_that_are_known(parse: Any, text: str | None, value: str | None) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (ApiStatusError("", status=400), True),
        (ApiStatusError("", status=404), True),
        (ApiStatusError("", status=408), False),
        (ApiStatusError("", status=410), False),
        (ApiStatusError("", status=500), False),
        (RequestFailedError("", category=Category.USER), True),
        (RequestFailedError("", category=Category.SERVER), False),
    ],
)
def test_who_is_to_blame(error: TinkerError, blamed: bool) -> None:
    assert error.user_error is blamed


def test_a_408_without_a_category_is_the_users_fault_for_one_client_only() -> None:
    body = b'{"message": "Request timeout"}'
    quirk = status_error(408, {}, body, preset=TINKEX)
    assert (quirk.category, quirk.user_error, quirk.retryable) == (Category.USER, True, False)
    assert status_error(408, {}, body).retryable


def test_a_429_is_the_servers_pressure_and_has_a_default_wait() -> None:
    error = status_error(429, {}, b"{}")
    assert (error.kind, error.category, error.message) == (
        "api_status",
        Category.SERVER,
        "Rate limited",
    )
    assert error.retry_after_ms == 1000


async def reply(answer: httpx.Response) -> Reply:
    server = ScriptedServer({"x": answer})
    settings = config("tinkex", max_retries=0)
    async with Transport(settings, clock=ManualClock(), http=server) as transport:
        return await transport.send(Call("GET", "/api/v1/x"))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "body", "category", "message"),
    [
        (418, {"message": "m", "error": "e"}, Category.USER, "m"),
        (418, {"error": "e"}, Category.USER, "e"),
        (418, {}, Category.USER, "HTTP 418"),
        (422, {"error": "Validation failed"}, Category.USER, "Validation failed"),
        (429, {}, Category.SERVER, "Rate limited"),
        (500, {"error": "Internal error"}, Category.SERVER, "Internal error"),
    ],
)
async def test_a_bad_answer_is_an_error_with_the_servers_words(
    status: int, body: dict[str, Any], category: Category, message: str
) -> None:
    server = ScriptedServer({"healthz": (status, body)})
    with pytest.raises(ApiStatusError) as caught:
        async with service(server, max_retries=0) as opened:
            await opened.health()
    found = caught.value
    assert (found.status, found.category, found.message) == (status, category, message)


@pytest.mark.anyio
async def test_good_answers_have_a_json_body_or_none() -> None:
    assert (await reply(httpx.Response(200, content=b""))).json() == {}
    with pytest.raises(ValidationError, match="JSON decode error") as caught:
        (await reply(httpx.Response(200, content=b"{"))).json()
    assert caught.value.message.startswith("JSON decode error")
    assert caught.value.category is Category.USER


@pytest.mark.anyio
async def test_a_redirect_leads_to_an_archive_or_nowhere() -> None:
    there = await reply(httpx.Response(302, headers={"Location": "https://x/y", "Expires": "E"}))
    assert redirect_target(there) == {"url": "https://x/y", "status": 302, "expires": "E"}
    nowhere = await reply(httpx.Response(302))
    with pytest.raises(ApiStatusError, match="Redirect without Location header") as caught:
        redirect_target(nowhere)
    assert (caught.value.status, caught.value.category) == (302, Category.SERVER)
