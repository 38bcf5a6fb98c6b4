"""A local HTTP proxy that answers for the service's production addresses and refuses all others.

A program that hard-codes `https://tinker.thinkingmachines.dev` cannot be told another address, but
nearly every HTTP client obeys `HTTPS_PROXY` and takes its certificate authorities from the
environment. The proxy ends TLS with a certificate made for the run and hands the bytes to the mock.
"""

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from tinker_mock.server.errors import ConfigurationError

PRODUCTION = ("tinker.thinkingmachines.dev",)
"""Hosts that the service answers on."""
LOCAL = ("localhost", "127.0.0.1", "::1")
CHUNK = 65_536
HEAD_LIMIT = 65_536
BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)
T = TypeVar("T")


class Interceptor:
    """The proxy. `port` is its address on 127.0.0.1, `refused` counts what wanted to go out."""

    def __init__(self, mock_port: int, hosts: tuple[str, ...], directory: Path) -> None:
        self.mock_port = mock_port
        self.hosts = hosts
        self.port = 0
        self.caught = 0
        self.refused: Counter[str] = Counter()
        self.bundle = directory / "authorities.pem"
        self._context = _certified(hosts, self.bundle)

    def environment(self) -> dict[str, str]:
        """The variables that make a program's HTTP clients come here."""
        proxy, bundle = f"http://127.0.0.1:{self.port}", str(self.bundle)
        variables = dict.fromkeys(BUNDLE_VARIABLES, bundle)
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
            variables[name] = variables[name.lower()] = proxy
        variables["NO_PROXY"] = variables["no_proxy"] = ",".join(LOCAL)
        variables["NODE_USE_ENV_PROXY"] = "1"
        return variables

    async def serve(self, stopped: asyncio.Event, ready: threading.Event) -> None:
        """Accept connections until `stopped` is set."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=HEAD_LIMIT)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        async with server:
            await stopped.wait()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled is what the end of the run looks like here.
        ends = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with closing(writer), suppress(*ends):
            await self._answer(reader, writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError:
            return
        method, target = [*head.split(" ", 2), "", ""][:2]
        host = target.rpartition(":")[0].strip("[]").lower()
        if method != "CONNECT" or host not in self.hosts:
            self.refused[target] += 1
            await _refuse(writer, target)
            return
        self.caught += 1
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        await writer.start_tls(self._context)
        upstream_reader, upstream_writer = await asyncio.open_connection(
            "127.0.0.1", self.mock_port
        )
        with closing(upstream_writer):
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, upstream_writer))
                both.create_task(_copy(upstream_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    with suppress(OSError, RuntimeError):
        writer.close()


async def _refuse(writer: asyncio.StreamWriter, target: str) -> None:
    text = (
        f"tinker-mock run --intercept: {target} is not the service; nothing leaves this machine\n"
    )
    head = f"HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\ncontent-length: {len(text)}\r\n"
    writer.write(f"{head}connection: close\r\n\r\n{text}".encode())
    await writer.drain()


def _certified(hosts: tuple[str, ...], bundle: Path) -> ssl.SSLContext:
    """A TLS context for the hosts; the authority that signed it, made now, goes to `bundle`."""
    try:
        import trustme
    except ImportError as error:
        raise ConfigurationError(
            "--intercept needs trustme; pip install 'tinker-mock[intercept]'"
        ) from error
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])  # bytes are handed on as they come, so no HTTP/2
    authority.issue_cert(*hosts).configure_cert(context)
    return context


@contextmanager
def interception(mock_port: int, hosts: tuple[str, ...], directory: Path) -> Iterator[Interceptor]:
    """An interceptor on a thread of its own. `directory` takes the authority's certificate.

    Raises ConfigurationError where trustme is not installed.
    """
    interceptor = Interceptor(mock_port, hosts, directory)
    ready, loops = threading.Event(), []

    async def serve() -> None:
        stopped = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stopped))
        await interceptor.serve(stopped, ready)

    thread = threading.Thread(target=_run, args=(serve(),), name="interceptor", daemon=True)
    thread.start()
    ready.wait()
    try:
        yield interceptor
    finally:
        loop, stopped = loops[0]
        loop.call_soon_threadsafe(stopped.set)
        thread.join()


def _run(serving: Coroutine[Any, Any, None]) -> None:
    asyncio.run(serving)
