"""Polling: dialects, deadlines, queue states, large results, one poll for many samples."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.client.conftest import SESSION, ScriptedServer, config
from tinker_mock.client import (
    ApiStatusError,
    ApiTimeoutError,
    AsyncServiceClient,
    ManualClock,
    ModelInput,
    Operation,
    PromiseGoneError,
    QueueState,
    RequestFailedError,
    ValidationError,
)
from tinker_mock.client.futures.poller import FuturePoller, Poll
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.semaphores import BytesSemaphore
from tinker_mock.client.watch.queue_state import QueueStateLogger, StateChanges

pytestmark = pytest.mark.anyio


async def poll(
    answers: list[Any], clock: ManualClock, preset: str = "python-latest", **options: Any
) -> tuple[Any, ScriptedServer]:
    server = ScriptedServer({"retrieve_future": answers})
    async with Transport(config(preset), clock=clock, http=server) as transport:
        poller = FuturePoller(transport, billing_window=12.0)
        completed = await poller.result(Poll("r", "Sample", **options))
    return completed.result, server


def pending(state: str, reason: str | None = None) -> tuple[int, dict[str, Any]]:
    return 408, {"type": "try_again", "queue_state": state, "queue_state_reason": reason}


async def test_a_held_poll_is_repeated_at_once(clock: ManualClock) -> None:
    result, server = await poll([pending("active"), (502, {}), {"ok": 1}], clock)
    assert result == {"ok": 1}
    assert clock.sleeps == []
    iterations = [one.headers["x-tinker-request-iteration"] for one in server.requests]
    assert iterations == ["0", "1", "2"]


async def test_observers_hear_of_changes_once_and_survive_each_other(clock: ManualClock) -> None:
    seen: list[tuple[QueueState, str | None]] = []

    def broken(_state: QueueState, _reason: str | None) -> None:
        raise RuntimeError("an observer's own problem")

    changes = StateChanges(broken, lambda state, reason: seen.append((state, reason)))
    paused = pending("paused_capacity", "maintenance")
    await poll([paused, paused, pending("paused_rate_limit"), {"ok": 1}], clock, changes=changes)
    assert seen == [
        (QueueState.PAUSED_CAPACITY, "maintenance"),
        (QueueState.PAUSED_RATE_LIMIT, None),
        (QueueState.ACTIVE, None),
    ]


async def test_a_long_pause_is_logged_once_a_minute(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    changes = StateChanges(QueueStateLogger("training", "m", clock=clock))
    paused = {"type": "try_again", "queue_state": "paused_capacity", "retry_after_ms": 10_000}
    await poll([paused] * 13 + [{"ok": 1}], clock, "tinkex", changes=changes)
    assert caplog.text.count("Training is paused for m. Reason: Tinker backend is running") == 3
    assert clock.monotonic() == 130.0


@pytest.mark.parametrize("nested", [True, False])
async def test_a_failed_promise_is_an_error_with_its_category(
    clock: ManualClock, nested: bool
) -> None:
    flat = {"error": "too long", "category": "user"}
    body = {"status": "failed", "error": {"message": "too long", "category": "user"}}
    with pytest.raises(RequestFailedError, match="too long") as caught:
        await poll([body if nested else flat], clock)
    assert caught.value.user_error


async def test_410_asks_for_a_new_request(clock: ManualClock) -> None:
    with pytest.raises(PromiseGoneError, match="Promise expired for request r"):
        await poll([(410, {"detail": "gone"})], clock)


async def test_400s_are_forgiven_three_times_and_429s_waited_out(clock: ManualClock) -> None:
    noise = (400, {"detail": "proxy noise"})
    result, _ = await poll([noise, noise, noise, (429, {}), {"ok": 1}], clock)
    assert result == {"ok": 1}
    with pytest.raises(ApiStatusError):
        await poll([noise] * 4, clock)


async def test_old_clients_give_up_at_once_where_new_ones_wait(clock: ManualClock) -> None:
    for answer in ((400, {"detail": "x"}), (429, {}), (402, {"detail": "pay"})):
        with pytest.raises(ApiStatusError):
            await poll([answer, {"ok": 1}], clock, "python-0.7")


async def test_billing_pauses_end_with_the_window(clock: ManualClock) -> None:
    result, _ = await poll([(402, {"detail": "pay"})] * 2 + [{"ok": 1}], clock)
    assert (result, clock.sleeps) == ({"ok": 1}, [5.0, 5.0])
    with pytest.raises(ApiStatusError, match="pay"):
        await poll([(402, {"detail": "pay"})], clock)


async def test_lost_connections_back_off_until_the_deadline(clock: ManualClock) -> None:
    with pytest.raises(ApiTimeoutError, match="Timed out while polling future r"):
        await poll([httpx.ConnectError("down")], clock, timeout=100.0)
    assert clock.sleeps == [1, 2, 4, 8, 16, 30, 30, 30]


async def test_a_large_result_waits_for_room(clock: ManualClock) -> None:
    metadata = {"status": "complete_metadata", "response_payload_size": 600}
    server = ScriptedServer({"retrieve_future": [metadata, {"ok": 1}]})
    room = BytesSemaphore(1000)
    await room.acquire(1100)
    async with Transport(config("python-latest"), clock=clock, http=server) as transport:
        poller = FuturePoller(transport, response_bytes=room)
        work = Operation(poller.result(Poll("r", "Sample", metadata_first=True)))
        for _ in range(50):
            await asyncio.sleep(0)
        assert not work.done()
        assert len(server.requests) == 1
        room.release(1100)
        assert (await work).result == {"ok": 1}
    flags = [body["allow_metadata_only"] for body in server.bodies("retrieve_future")]
    assert flags == [True, False]
    assert room.balance == 1000


@pytest.mark.parametrize("repaired", [True, False])
async def test_a_damaged_result_is_fetched_again_and_never_returned(repaired: bool) -> None:
    damaged = httpx.Response(
        200, content=b"\x0a\xff\xff", headers={"content-type": "application/x-protobuf"}
    )
    sound = {"sequences": [{"tokens": [1], "stop_reason": "stop"}]}
    server = ScriptedServer(
        {
            **SESSION,
            "create_sampling_session": {"sampling_session_id": "s:sample:0"},
            "asample": {"request_id": "r"},
            "retrieve_future": [damaged, damaged, sound if repaired else damaged],
        }
    )
    async with AsyncServiceClient(config(), http=server, clock=ManualClock()) as service:
        client = await service.create_sampling_client("base")
        sample = client.sample(ModelInput.from_ints([1]))
        if repaired:
            assert (await sample).sequences[0].tokens == [1]
        else:
            with pytest.raises(ValidationError, match="not a SampleResponse"):
                await sample
    assert len(server.bodies("retrieve_future")) == 3
    assert len(server.bodies("asample")) == 1


async def test_one_poll_per_session_finds_which_samples_are_done() -> None:
    completions = [
        {"completions": [], "cursor": 0},
        {
            "completions": [
                {"state": "finished", "request_id": "r1", "response_payload_uncompressed_size": 9},
                {"state": "failed", "request_id": "r0"},
            ],
            "cursor": 2,
        },
    ]
    sample = {"sequences": [{"tokens": [1], "stop_reason": "stop"}]}

    def result(request: httpx.Request) -> Any:
        if json.loads(request.content)["request_id"] == "r0":
            return {"error": "broken", "category": "server"}
        return sample

    server = ScriptedServer(
        {
            **SESSION,
            "client/config": {"sample_use_retrieve_futures": True},
            "client/dynamic_config": {},
            "create_sampling_session": {"sampling_session_id": "s:sample:0"},
            "samplers/s:sample:0": {"sampler_id": "s:sample:0", "base_model": "base"},
            "asample": lambda request: {
                "request_id": f"r{json.loads(request.content)['seq_id']}",
                "sample_sequence_ids": ["q"],
            },
            "retrieve_futures": completions,
            "retrieve_future": result,
        }
    )
    async with AsyncServiceClient(
        config("python-latest"), http=server, clock=ManualClock()
    ) as service:
        client = await service.create_sampling_client("base")
        prompt = ModelInput.from_ints([1])
        first, second = client.sample(prompt), client.sample(prompt)
        assert (await second).sequences[0].sequence_id == "q"
        with pytest.raises(RequestFailedError, match="broken"):
            await first
    polls = server.bodies("retrieve_futures")
    assert [body["prev_cursor"] for body in polls] == [0, 0]
    assert polls[0]["target"]["sampling_session_id"] == "s:sample:0"
    assert len(server.bodies("retrieve_future")) == 2


async def test_a_cancelled_sample_is_cancelled_on_the_server_too() -> None:
    asked = asyncio.Event()

    class Holding(ScriptedServer):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("retrieve_future"):
                asked.set()
                await asyncio.Event().wait()
            return await super().handle_async_request(request)

    server = Holding(
        {
            **SESSION,
            "client/config": {},
            "client/dynamic_config": {"sample_cancel_enabled": True},
            "create_sampling_session": {"sampling_session_id": "s:sample:0"},
            "samplers/s:sample:0": {"sampler_id": "s:sample:0", "base_model": "base"},
            "asample": {"request_id": "r9"},
            "cancel_future": {},
        }
    )
    async with AsyncServiceClient(
        config("python-latest"), http=server, clock=ManualClock()
    ) as service:
        client = await service.create_sampling_client("base")
        sample = client.sample(ModelInput.from_ints([1]))
        await asked.wait()
        assert sample.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sample
    assert server.bodies("cancel_future") == [{"request_id": "r9"}]
