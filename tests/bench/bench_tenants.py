"""One honest tenant beside a hundred hostile ones: its steps, undisturbed and disturbed.

The hostile ones keep the engine busy with custom losses that multiply large matrices or work on
large arrays element by element, samples of tens of thousands of tokens, and bodies that are bombs,
have a million values, as many wrong items, or are texts full of escapes. Prints the percentiles of
an honest training step (forward_backward and optim_step, submitted and polled) and their ratio.
"""

import asyncio
import gzip
import itertools
import time
from multiprocessing import get_context
from typing import Any

import httpx
import numpy as np

from tests.server.commands import served_process

HOSTILE = 100
SECONDS = 20.0
"""Of each measurement; on any machine the whole ends within a minute."""
LEAST_STEPS = 20
MODEL = "Qwen/Qwen3-8B"
CHUNK = {"chunks": [{"type": "encoded_text", "tokens": list(range(100, 400))}]}
TARGET = {"data": list(range(101, 401)), "dtype": "int64", "shape": [300]}
DATUM = {"model_input": CHUNK, "loss_fn_inputs": {"target_tokens": TARGET}}
REF = {"ref": "o"}
TARGETS = ["torch.matmul", "torch.softmax", "torch.exp", "torch.nn.functional.silu"]
BOMB = gzip.compress(b" " * (200 << 20))
START = b'{"tags": [], "sdk_version": "0.38.0", "user_metadata": null, "x": '
BODIES = [
    BOMB,
    gzip.compress(START + b"[" + b"{}," * 900_000 + b"1]}"),
    gzip.compress(b'{"tags": [' + b"1," * 1_000_000 + b'1], "sdk_version": "0.38.0"}'),
    gzip.compress(START + b'["' + b'\\"' * (20 << 20) + b'"' + b",[]" * 200 + b"]}"),
]


class Tenant:
    """An API key and its connection."""

    def __init__(self, url: str, name: str) -> None:
        key = {"X-API-Key": f"tml-{name}", "Content-Type": "application/json"}
        self.http = httpx.AsyncClient(base_url=f"{url}/api/v1/", headers=key, timeout=300)

    async def post(self, path: str, body: Any) -> Any:
        return (await self.http.post(path, json=body)).json()

    async def done(self, operation: str, body: Any) -> Any:
        request = await self.post(operation, body)
        while True:
            result = await self.post("retrieve_future", request)
            if result.get("type") != "try_again":
                return result

    async def model(self) -> tuple[str, str]:
        told: dict[str, Any] = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}
        session = (await self.post("create_session", told))["session_id"]
        lora = {"base_model": MODEL, "lora_config": {"rank": 8}, "model_seq_id": 0}
        result = await self.done("create_model", {"session_id": session} | lora)
        return session, result["model_id"]


async def honest_steps(
    tenant: Tenant, model: str, numbers: "itertools.count[int]", seconds: float
) -> list[float]:
    """Seconds of each step that was done within the time given."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        run = {"model_id": model, "seq_id": next(numbers)}
        given = {"data": [DATUM] * 4, "loss_fn": "cross_entropy"}
        await tenant.done("forward_backward", run | {"forward_backward_input": given})
        rate = {"adam_params": {"learning_rate": 1e-4}}
        await tenant.done("optim_step", run | {"seq_id": next(numbers)} | rate)
        taken.append(time.perf_counter() - begun)
    return taken


def call(name: str, target: str, *arguments: Any) -> dict[str, Any]:
    node = {"name": name, "op": "call_function", "target": target}
    return node | {"args": list(arguments), "kwargs": {}}


def endless(target: str) -> dict[str, Any]:
    """A loss that would take hours: a function of a large matrix, and of itself if it has two."""
    first = {"name": "logprobs", "op": "placeholder", "target": "logprobs"}
    pair = {"tuple": [{"ref": "loss"}, {"dict": {}}]}
    last = {"name": "output", "op": "output", "target": "output", "args": [pair]}
    given = [REF, REF] if target == "torch.matmul" else [REF]
    matrices = [call(f"m{i}", target, *given) for i in range(2000)]
    loss = call("loss", "torch.sum", {"ref": "logprobs"})
    nodes = [first, call("o", "torch.ones", 1000, 1000), *matrices, loss, last]
    return {"format": 1, "nodes": [{"args": [], "kwargs": {}} | node for node in nodes]}


async def hostile(url: str, number: int) -> None:
    """Until it is cancelled."""
    tenant = Tenant(url, f"hostile-{number}")
    async with tenant.http:
        if number % 3 == 0:
            target = TARGETS[number % len(TARGETS)]
            session, model = await tenant.model()
            program = {"session_id": session, "custom_loss_seq_id": 1, "name": "x"}
            inputs = {"inputs": [{"name": "logprobs", "rank": 1}], "graph": endless(target)}
            made = await tenant.done("create_custom_loss", program | inputs)
            config = {"loss_fn": "custom", "loss_fn_config": {"loss_id": made["loss_id"]}}
            for step in itertools.count(1):
                given = {"forward_backward_input": {"data": [DATUM]} | config}
                await tenant.done("forward_backward", {"model_id": model, "seq_id": step} | given)
        elif number % 3 == 1:
            session, _ = await tenant.model()
            source = {"session_id": session, "base_model": MODEL, "sampling_session_seq_id": 0}
            sampler = (await tenant.post("create_sampling_session", source))["sampling_session_id"]
            for step in itertools.count(1):
                wanted = {"sampling_params": {"max_tokens": 30_000, "stop": []}, "num_samples": 64}
                where = {"sampling_session_id": sampler, "seq_id": step, "prompt": CHUNK}
                await tenant.done("asample", where | wanted)
        else:
            coding = {"Content-Encoding": "gzip"}
            body = BODIES[number // 3 % len(BODIES)]
            while True:
                await tenant.http.post("create_session", content=body, headers=coding)


def crowd(url: str) -> None:
    """All hostile ones, in a process of their own: what they read must not delay the honest one."""

    async def together() -> None:
        await asyncio.gather(*(hostile(url, number) for number in range(HOSTILE)))

    asyncio.run(together())


async def play(url: str) -> None:
    honest, numbers = Tenant(url, "honest"), itertools.count(1)
    async with honest.http:
        _, model = await honest.model()
        await honest_steps(honest, model, numbers, 2)  # to warm up
        quiet = await honest_steps(honest, model, numbers, SECONDS / 2)
        others = get_context("spawn").Process(target=crowd, args=(url,), daemon=True)
        others.start()
        await asyncio.sleep(5)
        loud = await honest_steps(honest, model, numbers, SECONDS)
        others.kill()
    for name, taken in (("undisturbed", quiet), (f"beside {HOSTILE}", loud)):
        median, p99 = np.percentile(taken, [50, 99]) * 1000
        print(f"{name:>12}: {len(taken):4} steps, median {median:7.1f} ms, p99 {p99:7.1f} ms")
    ratio = np.percentile(loud, 99) / np.percentile(quiet, 99)
    if len(loud) < LEAST_STEPS:
        print(f"{len(loud)} steps are too few to say a p99: the machine is busy with others")
    print(f"p99 beside the hostile ones is {ratio:.1f} times the undisturbed")


if __name__ == "__main__":
    with served_process("--long-poll", "5") as mock:
        asyncio.run(play(mock.url))
