"""Work has a budget, gives way to others, and ends when nobody wants it."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.server.conftest import Api
from tinker_mock.server.budget import BudgetSpent, Memory, checkpoint, reserve
from tinker_mock.server.clock import RealClock
from tinker_mock.server.service.compute import Compute, on_behalf_of
from tinker_mock.server.service.turns import HALF_DONE
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings, WorkLimits

Tenants = Callable[[str], Api]
PATIENCE = 60.0
"""Seconds for what should take one: the machine may be busy."""


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with RunningServer(Settings(port=0, long_poll=5, seed=3)) as running:
        yield running


@pytest.fixture
def tenant(server: RunningServer) -> Iterator[Callable[[str], Api]]:
    """A tenant of the server, by name."""
    with ExitStack() as stack:

        def known(name: str) -> Api:
            api = Api(server, f"tml-{name}")
            stack.enter_context(api.http)
            return api

        yield known


def placeholder(name: str) -> dict[str, Any]:
    return {"name": name, "op": "placeholder", "target": name, "args": [], "kwargs": {}}


def call(name: str, target: str, *arguments: Any) -> dict[str, Any]:
    node = {"name": name, "op": "call_function", "target": target}
    return {**node, "args": list(arguments), "kwargs": {}}


def graph(*nodes: dict[str, Any]) -> dict[str, Any]:
    loss = call("loss", "torch.sum", {"ref": "logprobs"})
    pair = {"tuple": [{"ref": "loss"}, {"dict": {}}]}
    output = {"name": "output", "op": "output", "target": "output", "args": [pair], "kwargs": {}}
    return {"format": 1, "nodes": [placeholder("logprobs"), *nodes, loss, output]}


MATRICES = [call(f"m{i}", "torch.matmul", {"ref": "o"}, {"ref": "o"}) for i in range(2000)]
HEAVY = graph(call("o", "torch.ones", 2000, 2000), *MATRICES)
ENDLESS = graph(call("d", "torch.diff", {"ref": "logprobs"}, 10**9))
LARGE = [call(f"z{i}", "torch.zeros", 1 << 22) for i in range(40)]


def custom(api: Api, traced: dict[str, Any]) -> str:
    """The request id of a pass with that loss."""
    session = api.session()
    model = api.model(session)
    program = {
        "session_id": session,
        "custom_loss_seq_id": 1,
        "name": "mine",
        "inputs": [{"name": "logprobs", "rank": 1}],
        "graph": traced,
    }
    loss = api.done("create_custom_loss", program)["loss_id"]
    datum = {
        "model_input": {"chunks": [{"type": "encoded_text", "tokens": [1, 2, 3]}]},
        "loss_fn_inputs": {"target_tokens": {"data": [2, 3, 4], "dtype": "int64", "shape": [3]}},
    }
    given = {"data": [datum], "loss_fn": "custom", "loss_fn_config": {"loss_id": loss}}
    body = {"model_id": model, "seq_id": 1, "forward_backward_input": given}
    return api.submit("forward_backward", body)


def refused(api: Api, traced: dict[str, Any]) -> str:
    result = api.outcome(custom(api, traced))
    assert result["category"] == "user"
    return str(result["error"])


def eventually(server: RunningServer, true: Callable[[], bool]) -> bool:
    """Whether it comes true; between two looks the server has a turn."""

    async def turn() -> None:
        await asyncio.sleep(0)

    end = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < end:
        server.call(turn())
    return true()


def test_other_tenants_are_served_while_three_losses_multiply_for_hours(
    server: RunningServer, tenant: Tenants
) -> None:
    hostile = [custom(tenant(f"hostile-{n}"), HEAVY) for n in range(3)]
    honest = tenant("honest")
    model = honest.model()
    step = {"model_id": model, "seq_id": 1, "adam_params": {"learning_rate": 1e-4}}
    assert "metrics" in honest.done("optim_step", step)
    promises = server.mock.state.promises
    assert [promises[request].state for request in hostile] == ["running"] * 3


def test_a_loss_without_end_is_refused_by_name(tenant: Tenants) -> None:
    assert "torch.diff" in refused(tenant("endless"), ENDLESS)


def test_memory_is_asked_for_before_it_is_taken(tenant: Tenants) -> None:
    said = refused(tenant("large"), graph(*LARGE))
    assert "--work-memory" in said


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (call("z", "torch.zeros", 1 << 23), "too large"),
        (call("z", "torch.arange", 10**9), "too large"),
        (call("z", "torch.cat", [{"ref": "logprobs"}] * 3), ""),
    ],
)
def test_arrays_are_bounded(tenant: Tenants, node: dict[str, Any], said: str) -> None:
    api = tenant("arrays")
    assert said in str(api.outcome(custom(api, graph(node))).get("error", ""))


def test_index_tensors_cannot_multiply(tenant: Tenants) -> None:
    nodes = [
        call("z", "torch.zeros", 12_000, 1),
        call("i", "torch.arange", 12_000),
        call("r", "torch.reshape", {"ref": "i"}, [12_000, 1]),
        call("f", "operator.mul", {"ref": "i"}, 0),
        {**call("q", "long", {"ref": "f"}), "op": "call_method"},
        call("g", "operator.getitem", {"ref": "z"}, {"tuple": [{"ref": "r"}, {"ref": "q"}]}),
    ]
    assert "12000, 12000" in refused(tenant("index"), graph(*nodes))


def test_seconds_are_bounded() -> None:
    with RunningServer(Settings(port=0, work_seconds=0.2, long_poll=5)) as server:
        api = Api(server, "tml-slow")
        with api.http:
            assert "--work-seconds" in refused(api, HEAVY)


def sample(api: Api, **more: Any) -> httpx.Response:
    body = {
        "sampling_session_id": api.sampler(),
        "seq_id": 1,
        "prompt": {"chunks": [{"type": "encoded_text", "tokens": [1]}]},
        "sampling_params": {"max_tokens": 30_000, "stop": []},
        "num_samples": 64,
        **more,
    }
    return api.post("asample", body)


def test_too_many_tokens_are_refused_before_anything_runs(tenant: Tenants) -> None:
    answer = sample(tenant("tokens"), num_samples=1024)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "/num_samples"
    assert "--work-tokens" in answer.json()["detail"]


def test_a_cancelled_sample_stops(server: RunningServer, tenant: Tenants) -> None:
    api, compute = tenant("cancel"), server.mock.backend.compute
    request = sample(api).json()["request_id"]
    assert eventually(server, lambda: len(compute._works) == 1)
    assert api.post("cancel_future", {"request_id": request}).status_code == 200
    assert eventually(server, lambda: not compute._works)


def test_an_answer_that_nobody_waits_for_stops(server: RunningServer, tenant: Tenants) -> None:
    api, compute = tenant("gone"), server.mock.backend.compute
    body = {"model": "Qwen/Qwen3-8B", "prompt": "x", "max_tokens": 30_000, "ignore_eos": True}
    short = httpx.Timeout(PATIENCE, read=0.5)
    with pytest.raises(httpx.ReadTimeout):
        api.http.post("/oai/api/v1/completions", json=body, timeout=short)
    assert eventually(server, lambda: not compute._works)


def test_the_server_ends_while_it_computes() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(RunningServer(Settings(port=0)))
        for name in ("tml-one", "tml-two"):
            api = Api(server, name)
            stack.enter_context(api.http)
            custom(api, HEAVY)
        compute = server.mock.backend.compute
        assert eventually(server, lambda: len(compute._works) == 2)
        begun = time.monotonic()
    assert time.monotonic() - begun < PATIENCE / 2
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "engine")


# --- the threads themselves ---------------------------------------------------------------------


def run(work: Callable[[Compute], Any], limits: WorkLimits) -> Any:
    async def inside() -> Any:
        compute = Compute(RealClock(), limits)
        try:
            return await work(compute)
        finally:
            compute.close()

    return asyncio.run(inside())


def test_tenants_take_turns_however_much_each_has() -> None:
    """One tenant has 40 pieces of work, the other one: it is not last."""
    ended: list[str] = []

    def spin(name: str) -> None:
        until = time.perf_counter() + 0.02
        while time.perf_counter() < until:
            checkpoint()
        ended.append(name)

    async def work(compute: Compute) -> None:
        with on_behalf_of("many"):
            many = [asyncio.create_task(compute(spin, "many")) for _ in range(40)]
        await asyncio.sleep(0)
        with on_behalf_of("one"):
            one = asyncio.create_task(compute(spin, "one"))
        await asyncio.gather(*many, one)

    run(work, WorkLimits(threads=1))
    assert ended.index("one") < 10


def test_long_work_gives_way_to_short_work() -> None:
    started, release = threading.Event(), threading.Event()

    def long() -> str:
        started.set()
        while not release.is_set():
            checkpoint()
        return "long"

    async def work(compute: Compute) -> list[str]:
        with on_behalf_of("long"):
            first = asyncio.create_task(compute(long))
        await asyncio.to_thread(started.wait)
        with on_behalf_of("short"):
            second = await asyncio.wait_for(compute(lambda: "short"), PATIENCE)
        release.set()
        return [second, await first]

    assert run(work, WorkLimits(threads=1)) == ["short", "long"]


def test_whoever_holds_most_memory_gives_way() -> None:
    started, release = threading.Event(), threading.Event()

    def hoard() -> None:
        for _ in range(8):
            reserve(1 << 20)
        started.set()
        while not release.is_set():
            checkpoint()

    def modest() -> str:
        while not started.is_set():
            checkpoint()
        reserve(1 << 20)
        return "done"

    async def work(compute: Compute) -> str:
        compute._memory = Memory(9 << 20)
        with on_behalf_of("hoarder"):
            first = asyncio.create_task(compute(hoard))
            await asyncio.to_thread(started.wait)
            second = asyncio.create_task(compute(hoard))
        with on_behalf_of("modest"):
            result: str = await compute(modest)
        with pytest.raises(BudgetSpent, match="holds most"):
            await first
        release.set()
        await asyncio.gather(second, return_exceptions=True)
        assert compute._memory.held == 0
        return result

    assert run(work, WorkLimits(threads=2, memory=100)) == "done"


def test_small_work_waits_for_no_other_work() -> None:
    """Both threads are in the middle of a slice that does not end: small work is done."""
    started, release = [threading.Event(), threading.Event()], threading.Event()

    def endless(number: int) -> None:
        started[number].set()
        release.wait(PATIENCE)

    async def work(compute: Compute) -> str:
        with on_behalf_of("hostile"):
            both = [asyncio.create_task(compute(endless, number)) for number in (0, 1)]
        for event in started:
            await asyncio.to_thread(event.wait)
        with on_behalf_of("honest"):
            said = await asyncio.wait_for(compute.run(lambda: "small", small=True), PATIENCE)
        release.set()
        await asyncio.gather(*both)
        return said

    assert run(work, WorkLimits(threads=2)) == "small"


def test_work_that_is_not_as_small_as_it_was_said_joins_the_others() -> None:
    """Tenants that call everything small do not keep small work waiting."""
    stop = threading.Event()

    def spin() -> str:
        while not stop.is_set():
            checkpoint()
        return "ended"

    async def work(compute: Compute) -> list[str]:
        pretenders = []
        for number in range(5):
            with on_behalf_of(f"pretender-{number}"):
                pretenders.append(asyncio.create_task(compute.run(spin, small=True)))
        await asyncio.sleep(0)
        with on_behalf_of("honest"):
            said = await asyncio.wait_for(compute.run(lambda: "small", small=True), PATIENCE)
        stop.set()
        return [said, *await asyncio.gather(*pretenders)]

    assert run(work, WorkLimits(threads=1)) == ["small", *["ended"] * 5]


def test_every_tenant_has_its_turns_in_the_books() -> None:
    """Turns that are given are given back, by whatever way work ends."""

    def short() -> None:
        checkpoint()

    def failing() -> None:
        checkpoint()
        raise ValueError

    def long() -> None:
        until = time.perf_counter() + 0.03
        while time.perf_counter() < until:
            checkpoint()

    async def work(compute: Compute) -> tuple[Any, ...]:
        tasks = []
        for number in range(40):
            with on_behalf_of(f"tenant-{number % 7}"):
                kind = (short, failing, long)[number % 3]
                task = compute.run(kind, small=number % 2 == 0)
                tasks.append(asyncio.create_task(task))
        await asyncio.gather(*tasks, return_exceptions=True)
        small, other = compute._small, compute._other
        assert small.idle.is_set()
        assert other.idle.is_set()
        return small.free, small.waiting, other.free, other.waiting

    assert run(work, WorkLimits(threads=2)) == (1, 0, 2, 0)


def test_short_work_that_has_begun_is_finished_before_more_begins() -> None:
    """Every tenant is in the middle of something otherwise, each with a thread and its arrays."""
    begun: set[int] = set()
    most = 0

    def step(number: int) -> None:
        nonlocal most
        begun.add(number)
        most = max(most, len(begun))
        spent = time.thread_time()
        while time.thread_time() - spent < 0.015:  # three turns
            checkpoint()
        begun.remove(number)

    async def work(compute: Compute) -> int:
        tasks = []
        for number in range(60):
            with on_behalf_of(f"tenant-{number}"):
                tasks.append(asyncio.create_task(compute.run(step, number)))
        await asyncio.gather(*tasks)
        return compute._threads._count

    threads = run(work, WorkLimits(threads=2))
    assert most <= HALF_DONE + 2
    assert threads <= HALF_DONE + 2
