"""The HTTP servers that can carry the app, each on a bound socket until it is told to stop.

Hypercorn is the default (HTTP/2 over TLS, which the SDK's httpx negotiates). uvicorn and granian
are optional and several times faster: for load tests.
"""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.serving.admission import Admission
from tinker_mock.server.serving.crowd import Crowd, allowed
from tinker_mock.server.settings import Settings

Wait = Callable[[], Awaitable[None]]
BACKLOG = 2048
IDLE = 75
"""Seconds between requests on a connection, and for a head to arrive."""
HEAD = 64 * 1024
"""Bytes that granian reads of a head; the mock itself refuses smaller ones."""
LAST_WORDS = 0.2
"""Seconds for what is answered to those whose time is over."""
STREAMS = 10_000
"""Of an HTTP/2 connection."""


async def serve_app(app: Any, settings: Settings, listener: socket.socket, stopped: Wait) -> None:
    """Serve `app` until `stopped` returns, with the server that the settings name.

    Raises ConfigurationError when that server is not installed.
    """
    await SERVERS[settings.server](app, settings, listener, stopped)


async def serve_peers(app: Any, listener: socket.socket, stopped: asyncio.Event) -> None:
    """Serve what other servers of a store ask for, until `stopped` is set."""
    from hypercorn.asyncio import serve

    config = _config(Settings.max_connections)
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 0.1

    async def trigger() -> None:
        await stopped.wait()
        config.crowd.close(config.graceful_timeout + LAST_WORDS)

    await serve(app, config, shutdown_trigger=trigger)


async def _hypercorn(app: Any, settings: Settings, listener: socket.socket, stopped: Wait) -> None:
    from hypercorn.asyncio import serve

    config = _config(settings.max_connections)
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = settings.graceful_timeout
    if settings.certfile:
        config.certfile, config.keyfile = str(settings.certfile), str(settings.keyfile)

    async def trigger() -> None:
        await stopped()
        app.state.mock.control.close()
        config.crowd.close(config.graceful_timeout + LAST_WORDS)

    await serve(app, config, shutdown_trigger=trigger)


def _config(connections: int) -> Any:
    """Hypercorn's configuration for so many connections at a time."""
    from tinker_mock.server.serving.hypercorn_connections import (
        CrowdedConfig,
        use_crowded_connections,
    )
    from tinker_mock.server.serving.hypercorn_guards import guard_hypercorn

    use_crowded_connections()
    guard_hypercorn()
    config = CrowdedConfig(Crowd(allowed(connections)))
    # The defaults close connections after 1000 requests and queue streams beyond 100.
    config.keep_alive_max_requests = 1_000_000
    config.h2_max_concurrent_streams = STREAMS
    config.keep_alive_timeout = float(IDLE)
    config.backlog = BACKLOG
    config.loglevel = "WARNING"
    return config


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
    openssl = shutil.which("openssl")
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
