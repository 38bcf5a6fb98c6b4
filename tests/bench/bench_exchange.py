"""What an exchange costs on top of the server under it, in CPU of the server's process.

The limit is a bare Starlette app on the same Hypercorn that reads the same body and answers the
same bytes. A submit is one that waits for an earlier number, so that no work is done for it; a
poll is one whose promise is ready.

make bench BENCH=exchange    (or: python tests/bench/bench_exchange.py)
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson

from tests.bench.raw_http import RawClient, cpu_seconds
from tests.server.commands import served_process
from tinker_mock.contracts.protobuf import messages

WANTED = 1.5
PROTOBUF = "application/x-protobuf"
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
config = Config.from_mapping(bind=["127.0.0.1:0"], errorlog=None)
config.keep_alive_max_requests, config.keep_alive_timeout = 10**6, 600.0
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


def as_protobuf(body: dict[str, Any]) -> bytes:
    """The same submit as newer SDKs send it."""
    message = messages.ForwardBackwardRequest()
    message.model_id, message.seq_id = body["model_id"], body["seq_id"]
    message.loss_fn = "cross_entropy"
    for datum in DATA:
        row = message.data.add()
        tokens = datum["model_input"]["chunks"][0]["tokens"]
        row.model_input.add().encoded_text.tokens = np.array(tokens, "<i4").tobytes()
        for name, tensor in datum["loss_fn_inputs"].items():
            integral = tensor["dtype"] == "int64"
            wire = row.loss_fn_inputs[name]
            wire.dense = np.array(tensor["data"], "<i8" if integral else "<f4").tobytes()
            wire.dtype = 2 if integral else 1
            wire.shape.extend(tensor["shape"])
    content: bytes = message.SerializeToString()
    return content


def cost(client: RawClient, pid: int, requests: list[bytes]) -> tuple[float, list[bytes]]:
    """Seconds of the server's CPU for each request, and the answers."""
    answers = []
    begun = cpu_seconds(pid)
    for request in requests:
        client.send(request)
        answers.append(client.receive().content)
    return (cpu_seconds(pid) - begun) / len(requests), answers


def finished(client: RawClient, operation: str, body: Any) -> dict[str, str]:
    """The poll of a promise that is ready."""
    poll = {"request_id": client.post(operation, body)["request_id"]}
    while client.post("retrieve_future", poll).get("type") == "try_again":
        pass
    return poll


def head(body: Any, binary: bool) -> dict[str, str]:
    """Headers of a request that is, or is answered in, protobuf."""
    if isinstance(body, bytes):
        return {"Content_Type": PROTOBUF}
    return {"Accept": f"{PROTOBUF}, application/json"} if binary else {}


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
        ready = finished(client, "forward_backward", forward_backward(model, 1))
        stepped = finished(
            client, "optim_step", {"model_id": model, "seq_id": 2, "adam_params": {}}
        )
        numbers = iter(range(2, 1_000_000))
        kinds: dict[str, Callable[[], tuple[str, Any]]] = {
            "submit optim_step": lambda: (
                "optim_step",
                {"model_id": parked, "seq_id": next(numbers), "adam_params": {}},
            ),
            "submit forward_backward": lambda: (
                "forward_backward",
                forward_backward(parked, next(numbers)),
            ),
            "the same as protobuf": lambda: (
                "forward_backward",
                as_protobuf(forward_backward(parked, next(numbers))),
            ),
            "poll of an optim_step": lambda: ("retrieve_future", stepped),
            "poll of 8 x 128 logprobs": lambda: ("retrieve_future", ready),
            "the same in protobuf": lambda: ("retrieve_future", ready),
        }
        for name, draw in kinds.items():
            if only and not any(word in name for word in only):
                continue
            binary = "protobuf" in name
            rows: list[list[float]] = [[], []]
            for _ in range(ROUNDS):
                drawn = [draw() for _ in range(EACH)]
                asked = [client.request(*one, **head(one[1], binary)) for one in drawn]
                seconds, answers = cost(client, mock.pid, asked)
                rows[1].append(seconds)
                size = str(len(answers[-1]))
                beside = [limit.request(*one, X_Size=size) for one in drawn]
                rows[0].append(cost(limit, bare_pid, beside)[0])
                if drawn[0][0] != "retrieve_future":
                    forget(client, answers)
            lowest, own = min(rows[0]) * 1e3, min(rows[1]) * 1e3
            print(f"{name:26} {own:6.3f} ms, bare {lowest:6.3f} ms: {own / lowest:5.2f}x")
        print(f"wanted: {WANTED}x")


if __name__ == "__main__":
    main()
