"""What an exchange costs on top of the server under it, in CPU of the server's process.

The limit is a bare Starlette app on the same Hypercorn that reads the same body and answers the
same bytes. A submit is one that waits for an earlier number, so that no work is done for it; a
poll is one whose promise is ready.

make bench BENCH=exchange    (or: python tests/bench/bench_exchange.py)
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson

from tests.bench.raw_http import RawClient, cpu_seconds
from tests.server.commands import served_process

WANTED = 1.5
ROUNDS, EACH = 5, 300
BARE = """
import asyncio, sys
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

SIZES = {}

async def answer(request):
    await request.body()
    size = int(request.headers["x-size"])
    content = SIZES.setdefault(size, b"x" * size)
    return Response(content, media_type="application/json")

app = Starlette(routes=[Route("/api/v1/{path}", answer, methods=["POST"])])
config = Config.from_mapping(bind=["127.0.0.1:0"], errorlog=None, keep_alive_max_requests=10**6)
sockets = config.create_sockets()
print("http://127.0.0.1:%d" % sockets.insecure_sockets[0].getsockname()[1], flush=True)
config.create_sockets = lambda: sockets
asyncio.run(serve(app, config))
"""


@contextmanager
def bare() -> Iterator[tuple[str, int]]:
    """Address and process of the bare server."""
    command = [sys.executable, "-c", BARE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield server.stdout.readline().strip(), server.pid
        finally:
            server.terminate()


def batch() -> list[dict[str, Any]]:
    """8 data of 128 tokens with the frequencies of language."""
    stream = np.random.default_rng(7)
    data = []
    for _ in range(8):
        tokens = ((stream.zipf(1.2, 129) - 1) % 150_000).tolist()
        target = {"data": tokens[1:], "dtype": "int64", "shape": [128]}
        weights = {"data": [1.0] * 128, "dtype": "float32", "shape": [128]}
        chunks = [{"type": "encoded_text", "tokens": tokens[:-1]}]
        inputs = {"target_tokens": target, "weights": weights}
        data.append({"model_input": {"chunks": chunks}, "loss_fn_inputs": inputs})
    return data


DATA = batch()


def forward_backward(model: str, number: int) -> dict[str, object]:
    """The body of a submit."""
    given = {"data": DATA, "loss_fn": "cross_entropy"}
    return {"model_id": model, "seq_id": number, "forward_backward_input": given}


def cost(client: RawClient, pid: int, requests: list[bytes]) -> tuple[float, list[bytes]]:
    """Seconds of the server's CPU for each request, and the answers."""
    answers = []
    begun = cpu_seconds(pid)
    for request in requests:
        client.send(request)
        answers.append(client.receive().content)
    return (cpu_seconds(pid) - begun) / len(requests), answers


def forget(client: RawClient, answers: list[bytes]) -> None:
    """Cancel what was submitted, so that memory is what a server at work has."""
    for answer in map(orjson.loads, answers):
        if "request_id" in answer:
            client.post("cancel_future", {"request_id": answer["request_id"]})


def main() -> None:
    """Print the table."""
    only = sys.argv[1:]
    options = ["--server", "hypercorn"]
    with bare() as (address, bare_pid), served_process(*options) as mock:
        limit, client = RawClient(address), RawClient(mock.url)
        model, parked = client.model(), client.model()
        ready = client.post("forward_backward", forward_backward(model, 1))
        while client.post("retrieve_future", ready).get("type") == "try_again":
            pass
        numbers = iter(range(2, 1_000_000))
        kinds = {
            "submit optim_step": lambda: (
                "optim_step",
                {"model_id": parked, "seq_id": next(numbers), "adam_params": {}},
            ),
            "submit forward_backward": lambda: (
                "forward_backward",
                forward_backward(parked, next(numbers)),
            ),
            "ready poll": lambda: ("retrieve_future", ready),
            "heartbeat": lambda: ("session_heartbeat", {"session_id": "x"}),
        }
        for name, draw in kinds.items():
            if only and not any(word in name for word in only):
                continue
            path, body = draw()
            client.send(client.request(path, body))
            size = len(client.receive().content)
            rows: list[list[float]] = [[], []]
            for _ in range(ROUNDS):
                asked = [client.request(*draw()) for _ in range(EACH)]
                beside = [limit.request(*draw(), X_Size=str(size)) for _ in range(EACH)]
                rows[0].append(cost(limit, bare_pid, beside)[0])
                seconds, answers = cost(client, mock.pid, asked)
                rows[1].append(seconds)
                forget(client, answers)
            lowest, own = min(rows[0]) * 1e3, min(rows[1]) * 1e3
            print(f"{name:24} {own:6.3f} ms, bare {lowest:6.3f} ms: {own / lowest:5.2f}x")


if __name__ == "__main__":
    main()
