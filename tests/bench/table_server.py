"""The limit of a training loop: a server that answers from a table, on the default server.

What it has not been asked yet it asks a mock, once; from then on it neither looks into requests nor
computes. Arguments: the mock's address.
"""

import asyncio
import sys
from itertools import count

import httpx
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.bare_server import serve_and_tell

SUBMITS = {"forward_backward", "optim_step"}
JSON = "application/json"
KEPT = ("accept", "content-type", "content-encoding", "user-agent", "x-api-key")


class Table:
    """Answers by operation; promises are called `OPERATION.NUMBER`."""

    def __init__(self, upstream: str) -> None:
        self.upstream = httpx.AsyncClient(base_url=upstream, timeout=60)
        self.submits: dict[str, bytes] = {}
        self.real: dict[str, str] = {}
        self.results: dict[str, Response] = {}
        self.numbers = count(1)

    async def asked(self, request: Request, content: bytes) -> httpx.Response:
        headers = {k: v for k, v in request.headers.items() if k in KEPT or k.startswith("x-")}
        path = request.url.path
        return await self.upstream.request(request.method, path, content=content, headers=headers)

    async def answer(self, request: Request) -> Response:
        operation = request.path_params["operation"]
        content = await request.body()
        if operation in SUBMITS:
            return await self.submitted(operation, request, content)
        if operation == "retrieve_future":
            body = orjson.loads(content)
            operation = body["request_id"].partition(".")[0]
            if operation in SUBMITS:
                return await self.polled(operation, request, body)
        found = await self.asked(request, content)
        return Response(found.content, found.status_code, media_type=found.headers["content-type"])

    async def submitted(self, operation: str, request: Request, content: bytes) -> Response:
        if operation not in self.submits:
            found = orjson.loads((await self.asked(request, content)).content)
            self.real[operation] = found["request_id"]
            found["request_id"] = f"{operation}.NUMBER"
            self.submits[operation] = orjson.dumps(found)
        told = self.submits[operation].replace(b"NUMBER", str(next(self.numbers)).encode())
        return Response(told, media_type=JSON)

    async def polled(self, operation: str, request: Request, body: dict[str, str]) -> Response:
        while operation not in self.results:
            told = orjson.dumps({**body, "request_id": self.real[operation]})
            found = await self.asked(request, told)
            if b"try_again" not in found.content:
                kind = found.headers["content-type"]
                self.results[operation] = Response(found.content, media_type=kind)
        return self.results[operation]


async def main() -> None:
    """Serve until the process is ended."""
    table = Table(sys.argv[1])
    methods = ["GET", "POST"]
    app = Starlette(routes=[Route("/api/v1/{operation:path}", table.answer, methods=methods)])
    await serve_and_tell(app)


if __name__ == "__main__":
    asyncio.run(main())
