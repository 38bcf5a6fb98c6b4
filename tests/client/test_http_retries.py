"""Retries of one HTTP call, over a respx router: what is sent, how often, after which waits."""

from random import Random

import httpx
import pytest
import respx

from tests.client.conftest import config
from tinker_mock.client import ApiConnectionError, ApiStatusError, ApiTimeoutError, ManualClock
from tinker_mock.client.config import ClientConfig
from tinker_mock.client.elixir.metrics import Metrics
from tinker_mock.client.http.call import Call, Reply
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.watch.events import Event, EventHub

pytestmark = pytest.mark.anyio
THING = Call("POST", "/api/v1/thing", json={"a": 1})


async def send(
    router: respx.MockRouter, clock: ManualClock, call: Call = THING, **options: object
) -> Reply:
    settings: ClientConfig = config(**options)
    http = httpx.MockTransport(router.async_handler)
    async with Transport(settings, clock=clock, random=Random(0), http=http) as transport:
        return await transport.send(call)


@pytest.fixture
def router() -> respx.MockRouter:
    return respx.MockRouter(base_url="http://server/api/v1", assert_all_called=False)


async def test_the_idempotency_key_is_constant_and_the_count_rises(
    router: respx.MockRouter, clock: ManualClock
) -> None:
    route = router.post("/thing")
    route.side_effect = [httpx.Response(503), httpx.Response(409), httpx.Response(200, json={})]
    await send(router, clock)
    headers = [call.request.headers for call in route.calls]
    assert len({one["x-idempotency-key"] for one in headers}) == 1
    assert [one["x-stainless-retry-count"] for one in headers] == ["0", "1", "2"]
    assert headers[0]["x-api-key"] == "tml-test-key"


async def test_waits_grow_and_never_exceed_ten_seconds(
    router: respx.MockRouter, clock: ManualClock
) -> None:
    router.post("/thing").respond(500)
    with pytest.raises(ApiStatusError) as caught:
        await send(router, clock, max_retries=7)
    assert caught.value.status == 500
    base = [0.5, 1, 2, 4, 8, 10, 10]
    assert len(clock.sleeps) == 7
    assert all(0.75 * b <= s <= b for b, s in zip(base, clock.sleeps, strict=True))


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after-ms": "40"}, 0.04),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:05 GMT"}, 5.0),
    ],
)
async def test_the_server_may_say_how_long_to_wait(
    router: respx.MockRouter, headers: dict[str, str], wait: float
) -> None:
    clock = ManualClock(1_445_412_480.0, autojump=True)  # five seconds before that date
    answers = [httpx.Response(503, headers=headers), httpx.Response(200, json={})]
    router.post("/thing").side_effect = answers
    await send(router, clock)
    assert clock.sleeps == [pytest.approx(wait)]


async def test_advice_of_more_than_a_minute_is_not_followed(
    router: respx.MockRouter, clock: ManualClock
) -> None:
    answers = [httpx.Response(503, headers={"retry-after": "600"}), httpx.Response(200, json={})]
    router.post("/thing").side_effect = answers
    await send(router, clock)
    assert clock.sleeps[0] <= 0.5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
async def test_answers_that_will_not_change_are_not_asked_for_again(
    router: respx.MockRouter, clock: ManualClock, status: int
) -> None:
    route = router.post("/thing").respond(status, json={"detail": "rank: must be positive"})
    with pytest.raises(ApiStatusError, match="rank: must be positive") as caught:
        await send(router, clock)
    assert caught.value.status == status
    assert route.call_count == 1
    assert caught.value.user_error is (status != 410)


async def test_lost_connections_and_timeouts_have_their_own_errors(
    router: respx.MockRouter, clock: ManualClock
) -> None:
    router.post("/thing").side_effect = httpx.ConnectError("refused")
    with pytest.raises(ApiConnectionError, match="refused"):
        await send(router, clock, max_retries=1)
    router.post("/thing").side_effect = httpx.ReadTimeout("slow")
    with pytest.raises(ApiTimeoutError, match="ReadTimeout"):
        await send(router, clock, max_retries=0)


async def test_an_empty_400_counts_as_no_answer(
    router: respx.MockRouter, clock: ManualClock
) -> None:
    route = router.post("/thing")
    route.side_effect = [httpx.Response(400), httpx.Response(200, json={"ok": True})]
    assert (await send(router, clock)).json() == {"ok": True}
    assert route.call_count == 2


async def test_secrets_stay_out_of_logs_and_reprs(
    router: respx.MockRouter, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    router.post("/thing").side_effect = [httpx.Response(503), httpx.Response(200, json={})]
    secret = "tml-0123456789abcdef"
    await send(router, clock, api_key=secret, dump_headers=True, proxy="http://u:hidden@p:1")
    shown = caplog.text + repr(config(api_key=secret, proxy="http://u:hidden@p:1"))
    assert secret not in shown
    assert "hidden" not in shown
    assert "tml-01...cdef" in shown


async def test_every_attempt_is_told_to_whoever_listens(
    router: respx.MockRouter, clock: ManualClock
) -> None:
    router.post("/thing").side_effect = [httpx.Response(500), httpx.Response(200, json={})]
    events, seen = EventHub(), []
    metrics = Metrics()
    metrics.watch(events)
    events.subscribe("http.", lambda event: seen.append(event.name))
    events.subscribe("http.", _broken)
    http = httpx.MockTransport(router.async_handler)
    async with Transport(config(), clock=clock, events=events, http=http) as transport:
        await transport.send(THING)
    endings = [name for name in seen if name != "http.request.start"]
    assert len(seen) == 4
    assert endings == ["http.request.exception", "http.request.stop"]
    assert metrics.counters["tinkex_requests_total"] == 2
    assert metrics.counters["tinkex_requests_failure"] == 1


def _broken(_event: Event) -> None:
    raise RuntimeError("a subscriber's own problem")
