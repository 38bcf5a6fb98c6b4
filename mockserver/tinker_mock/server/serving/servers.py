"""The HTTP servers that can carry the app, each on a bound socket until it is told to stop.

Hypercorn is the default (HTTP/2 over TLS, which the SDK's httpx negotiates). uvicorn and granian
are optional and several times faster: for load tests.
"""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.serving.admission import Admission
from tinker_mock.server.serving.connections import Connections
from tinker_mock.server.serving.crowd import PATIENCE, Crowd, allowed
from tinker_mock.server.serving.lifespan import Lifespan
from tinker_mock.server.settings import Settings

if TYPE_CHECKING:
    from tinker_mock.server.serving import hypercorn_connections
else:
    hypercorn_connections = LazyModule(
        "tinker_mock.server.serving.hypercorn_connections", rare=True
    )

Wait = Callable[[], Awaitable[None]]
BACKLOG = 2048
IDLE = int(PATIENCE)
"""Seconds between requests on a connection, and for a head to arrive."""
PEERS_GRACE = 0.1
"""Seconds for requests of other servers that are under way at the end."""
HEAD = 64 * 1024
"""Bytes that granian reads of a head; the mock itself refuses smaller ones."""
LAST_WORDS = 0.2
"""Seconds for what is answered to those whose time is over."""
STREAMS = 10_000
"""Of an HTTP/2 connection of granian's."""


async def serve_app(app: Any, settings: Settings, listener: socket.socket, stopped: Wait) -> None:
    """Serve `app` until `stopped` returns, with the server that the settings name.

    Raises ConfigurationError when that server is not installed.
    """
    await SERVERS[settings.server](app, settings, listener, stopped)


async def serve_peers(app: Any, listener: socket.socket, stopped: asyncio.Event) -> None:
    """Serve what other servers of a store ask for, until `stopped` is set."""
    crowd = Crowd(allowed(Settings.max_connections))

    async def until_stopped() -> None:
        await stopped.wait()
        crowd.close(PEERS_GRACE + LAST_WORDS)

    await _serve_connections(app, listener, crowd, until_stopped, PEERS_GRACE)


async def _hypercorn(app: Any, settings: Settings, listener: socket.socket, stopped: Wait) -> None:
    """Hypercorn, and for usual requests less than that: `connections.py`."""
    crowd, grace = Crowd(allowed(settings.max_connections)), settings.graceful_timeout

    async def until_stopped() -> None:
        await stopped()
        app.state.mock.control.close()
        crowd.close(grace + LAST_WORDS)

    context = None
    if settings.certfile:
        context = hypercorn_connections.secured(settings.certfile, settings.keyfile)
    await _serve_connections(app, listener, crowd, until_stopped, grace, context)


async def _serve_connections(
    app: Any,
    listener: socket.socket,
    crowd: Crowd,
    stopped: Wait,
    grace: float,
    context: ssl.SSLContext | None = None,
) -> None:
    """From the app's beginning to its end; connections have `grace` seconds after `stopped`."""
    lifespan = Lifespan(app)
    await lifespan.start()
    connections = Connections(app, crowd, lifespan.state)
    server = await asyncio.start_server(connections, sock=listener, backlog=BACKLOG, ssl=context)
    try:
        await stopped()
    finally:
        server.close()
        await connections.end(grace)
        await server.wait_closed()
        await lifespan.end()


async def _uvicorn(app: Any, settings: Settings, listener: socket.socket, stopped: Wait) -> None:
    try:
        import uvicorn
    except ImportError as error:
        raise _not_installed("uvicorn") from error
    from uvicorn.protocols.http.auto import AutoHTTPProtocol

    from tinker_mock.server.faults.tracking import tracked
    from tinker_mock.server.serving.uvicorn_guards import guarded

    crowd = Crowd(allowed(settings.max_connections))
    config = uvicorn.Config(
        tracked(app),
        http=guarded(AutoHTTPProtocol, crowd, IDLE),
        backlog=BACKLOG,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=1,
        ssl_certfile=settings.certfile,
        ssl_keyfile=settings.keyfile,
    )
    server = uvicorn.Server(config)
    # Signals are ours: uvicorn would raise them again after it has stopped.
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    listener.listen(BACKLOG)
    serving = asyncio.create_task(server._serve(sockets=[listener]))
    await stopped()
    app.state.mock.control.close()
    server.should_exit = True
    await serving


async def _granian(app: Any, settings: Settings, listener: socket.socket, stopped: Wait) -> None:
    try:
        from granian.constants import Interfaces
        from granian.http import HTTP1Settings, HTTP2Settings
        from granian.server.embed import Server
    except ImportError as error:
        raise _not_installed("granian") from error
    host, port = listener.getsockname()[:2]
    # granian binds for itself: the port stays reserved, which keeps everybody else away from it.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server = Server(
        Admission(app),
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        backlog=BACKLOG,
        websockets=False,
        log_enabled=False,
        http1_settings=HTTP1Settings(header_read_timeout=IDLE * 1000, max_buffer_size=HEAD),
        http2_settings=HTTP2Settings(max_concurrent_streams=STREAMS, max_headers_size=HEAD),
        ssl_cert=settings.certfile,
        ssl_key=settings.keyfile,
    )
    with listener:
        serving = asyncio.create_task(server.serve())
        accepting = False
        while not (accepting or serving.done()):
            accepting = await _accepts(host, port)
        if not serving.done():
            await stopped()
            app.state.mock.control.close()
            server.stop()  # type: ignore[no-untyped-call]
        await serving


async def _accepts(host: str, port: int) -> bool:
    """Whether somebody listens there; others get their turn in any case."""
    await asyncio.sleep(0)
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


def _not_installed(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"--server {name}: {name} is not installed; pip install 'tinker-mock[servers]'"
    )


SERVERS: dict[str, Callable[[Any, Settings, socket.socket, Wait], Awaitable[None]]] = {
    "hypercorn": _hypercorn,
    "uvicorn": _uvicorn,
    "granian": _granian,
}


def make_certificate(directory: Path, host: str) -> tuple[Path, Path]:
    """A self-signed certificate and its key for `host` and localhost, valid for a month.

    Raises ConfigurationError where there is no openssl to make one.
    """
    from shutil import which

    openssl = which("openssl")
    if openssl is None:
        raise ConfigurationError("--tls needs openssl, or a certificate: --certfile and --keyfile")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    kind = "IP" if host.replace(".", "").isdigit() or ":" in host else "DNS"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "30", "-subj", "/CN=tinker-mock"]
    command += ["-addext", f"subjectAltName=DNS:localhost,IP:127.0.0.1,{kind}:{host}"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigurationError(f"openssl: {done.stderr.strip()}")
    return certificate, key
