"""The reporter: from any thread, with or without a session, around blocks and functions."""

import asyncio
import os
import sys
import threading
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.client.conftest import ScriptedServer, config
from tinker_mock.client import (
    AsyncServiceClient,
    CircuitRegistry,
    ClientConfig,
    ManualClock,
    NotFoundError,
    ServiceClient,
    ValidationError,
    capture_exceptions,
)
from tinker_mock.client.config import read_environment
from tinker_mock.client.config.poll_backoff import poll_waits
from tinker_mock.client.futures.poller import FuturePoller, Poll
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.telemetry.process import process_uuid
from tinker_mock.client.telemetry.reporter import TelemetryReporter
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

pytestmark = pytest.mark.anyio
ACCEPTED = {"status": "accepted"}


async def told(use: Any, preset: str = "python-latest", session: str | None = "s1") -> list[Any]:
    """The bodies that a reporter sends while `use(reporter)` runs, and at its end."""
    server = ScriptedServer({"telemetry": ACCEPTED})
    clock = ManualClock(autojump=True)
    async with Transport(config(preset), clock=clock, http=server) as transport:
        reporter = TelemetryReporter(transport, session)
        reporter.start()
        result = use(reporter)
        if asyncio.iscoroutine(result):
            await result
        await reporter.stop()
    return server.bodies("telemetry")


def events(bodies: list[Any]) -> list[str]:
    return [one.get("error_type", one["event"]) for body in bodies for one in body["events"]]


async def test_the_newest_client_names_its_process() -> None:
    (body,) = await told(lambda reporter: None)
    assert body["process_uuid"] == process_uuid()
    assert body["platform"] in ("Linux", "Darwin", "Windows")
    (old,) = await told(lambda reporter: None, "python-0.7")
    assert "process_uuid" not in old
    (elixir,) = await told(lambda reporter: None, "tinkex")
    assert elixir["platform"] in ("unix/linux", "darwin", "win32")


def test_a_forked_child_is_another_process() -> None:
    reading, writing = os.pipe()
    mine = process_uuid()
    child = os.fork()
    if child == 0:
        os.write(writing, process_uuid().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()
    assert len(theirs) == len(mine)
    assert theirs != mine
    assert process_uuid() == mine


async def test_without_a_session_there_is_neither_start_nor_end() -> None:
    bodies = await told(lambda reporter: reporter.log_exception(KeyError("x")), session=None)
    assert events(bodies) == ["KeyError"]
    assert bodies[0]["session_id"].startswith("sessionless-")


async def test_an_exception_is_sent_soon_and_a_fatal_one_ends_the_session() -> None:
    async def use(reporter: TelemetryReporter) -> None:
        reporter.log_exception(RuntimeError("first"))
        await reporter.log_fatal_exception(RuntimeError("last"))

    bodies = await told(use)
    assert events(bodies) == ["SESSION_START", "RuntimeError", "RuntimeError", "SESSION_END"]


async def test_events_of_many_threads_keep_their_numbers() -> None:
    async def use(reporter: TelemetryReporter) -> None:
        threads = [
            threading.Thread(target=lambda: [reporter.log("e") for _ in range(200)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)

    bodies = await told(use)
    numbers = [one["event_session_index"] for body in bodies for one in body["events"]]
    assert sorted(numbers) == list(range(802))
    assert all(len(body["events"]) <= 100 for body in bodies)


class Provider:
    """Somebody with a reporter of their own."""

    def __init__(self, reporter: TelemetryReporter) -> None:
        self._reporter = reporter

    def get_telemetry(self) -> TelemetryReporter:
        return self._reporter

    @capture_exceptions
    def works(self, value: int) -> int:
        """Doubles."""
        return value * 2

    @capture_exceptions
    async def fails(self) -> None:
        raise LookupError("mine")

    @capture_exceptions(fatal=True)
    async def dies(self) -> None:
        raise ArithmeticError("mine")


async def test_functions_and_blocks_report_what_they_raise() -> None:
    async def use(reporter: TelemetryReporter) -> None:
        provider = Provider(reporter)
        assert provider.works(2) == 4
        assert Provider.works.__doc__ == "Doubles."
        with pytest.raises(LookupError):
            await provider.fails()
        with pytest.raises(ValueError, match="block"), reporter.capture_exceptions():
            raise ValueError("block")
        with pytest.raises(ArithmeticError):
            await provider.dies()

    bodies = await told(use)
    assert events(bodies) == [
        *("SESSION_START", "LookupError", "ValueError", "ArithmeticError", "SESSION_END")
    ]


def test_without_a_reporter_it_only_raises() -> None:
    with pytest.raises(KeyError), capture_exceptions(None):
        raise KeyError("x")

    @capture_exceptions
    def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        fails()


def test_the_failures_of_a_rest_client_reach_the_server() -> None:
    with RunningServer(Settings(port=0)) as server:
        with ServiceClient(base_url=server.url, api_key="tml-rest") as service:
            with pytest.raises(NotFoundError):
                service.create_rest_client().get_training_run("no-such-run")
            reporter = service.telemetry_reporter()
            assert reporter is not None
            assert service.inner.connection.session_id is None
            assert reporter.log_fatal_exception_sync(RuntimeError("the program's"))
        sent = [entry for entry in journal(server.url) if entry["path"].endswith("/telemetry")]
    assert sent
    assert all(entry["status"] == 200 for entry in sent)


def journal(url: str) -> list[dict[str, Any]]:

    return list(httpx.get(f"{url}/_mock/journal").json()["entries"])


async def test_polls_may_wait_longer_and_longer(clock: ManualClock) -> None:
    server = ScriptedServer({"retrieve_future": [(408, {}), (503, {}), (408, {}), {"ok": 1}]})
    settings = config("python-latest", poll_backoff=(0.5, 1.5))
    async with Transport(settings, clock=clock, http=server) as transport:
        poller = FuturePoller(transport, billing_window=12.0)
        await poller.result(Poll("r", "Sample"))
    assert clock.sleeps == [0.5, 1.0, 1.5]


def test_policies_of_waiting_between_polls() -> None:
    assert poll_waits(None) is None
    assert poll_waits(False) is None
    for policy in (True, "exponential"):
        waits = poll_waits(policy)
        assert waits is not None
        assert [waits(n) for n in (0, 1, 4, 5, 1000)] == [1.0, 2.0, 16.0, 30.0, 30.0]
    own = poll_waits(lambda number: number / 10)
    assert own is not None
    assert own(3) == 0.3
    for wrong in ("often", (0, 1), (2.0, 1.0), (1.0,), 5):
        with pytest.raises(ValidationError, match="poll_backoff"):
            ClientConfig.resolve(api_key="tml-x", poll_backoff=wrong)  # type: ignore[arg-type]
    environment = read_environment({"TINKEX_POLL_BACKOFF": "1", "TINKEX_OTEL_PROPAGATE": "true"})
    resolved = ClientConfig.resolve(api_key="tml-x", environment=environment)
    assert (resolved.poll_backoff, resolved.otel_propagate) == ("exponential", True)


@pytest.mark.parametrize("propagates", [True, False])
async def test_requests_carry_the_callers_trace(
    propagates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    package = ModuleType("opentelemetry.propagate")
    package.inject = lambda carrier: carrier.update(traceparent=parent)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry", ModuleType("opentelemetry"))
    monkeypatch.setitem(sys.modules, "opentelemetry.propagate", package)
    server = ScriptedServer({"healthz": {"status": "ok"}})
    settings = config("python-latest", otel_propagate=propagates)
    async with Transport(settings, clock=ManualClock(), http=server) as transport:
        await transport.send(Call("GET", "/api/v1/healthz"))
        own = Call("GET", "/api/v1/healthz", headers={"traceparent": "own"})
        await transport.send(own)
    first, second = (one.headers.get("traceparent") for one in server.requests)
    assert (first, second) == (parent if propagates else None, "own")


async def test_without_the_package_nothing_is_carried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.propagate", None)
    server = ScriptedServer({"healthz": {"status": "ok"}})
    service = AsyncServiceClient(config("python-latest", otel_propagate=True), http=server)
    assert await service.health() == "ok"
    await service.close()
    assert "traceparent" not in server.requests[0].headers


async def test_a_registry_keeps_a_circuit_an_endpoint() -> None:
    clock = ManualClock()
    registry = CircuitRegistry(failure_threshold=2, reset_timeout=30.0, clock=clock)

    async def answers(value: int) -> int:
        return value

    assert registry.state("sampling") == "closed"
    assert registry.states() == {}
    for _ in range(2):
        await registry.call("sampling", lambda: answers(0), succeeded=lambda value: value > 0)
    assert registry.states() == {"sampling": "open"}
    assert await registry.call("training", lambda: answers(3)) == 3
    await clock.advance(31)
    assert registry.state("sampling") == "half_open"
    assert await registry.call("sampling", lambda: answers(1)) == 1
    assert registry.state("sampling") == "closed"
    registry.delete("sampling")
    assert registry.states() == {"training": "closed"}
    with pytest.raises(ValidationError, match="must be positive"):
        await CircuitRegistry(failure_threshold=0).call("x", lambda: answers(1))
