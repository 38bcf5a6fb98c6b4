"""`tinker-mock serve`: run the app on a socket until told to stop.

examples:
  tinker-mock serve                              # then paste what it prints into your shell
  tinker-mock serve --port 0 --seed 7 --scenario rate-limited --fail-on violation
  tinker-mock serve --clock auto --models mine.yaml --tls
  tinker-mock serve --scripts answers.yaml       # prompts with answers that you wrote
"""

import argparse
import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.journal.request_log import request_log
from tinker_mock.server.serving import control_key, limit_options
from tinker_mock.server.serving.garbage import Collector
from tinker_mock.server.serving.options import add_behaviour_options, port_number, settings_of
from tinker_mock.server.serving.preparation import Preparation
from tinker_mock.server.serving.workers import FENCED, Workers
from tinker_mock.server.settings import DEFAULT_PORT, Settings
from tinker_mock.server.stand_in.vocabulary import NamedModel

Ready = Callable[[], None]
"""Called once the server takes requests."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `serve`."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to bind (default %(default)s)")
    add(
        "--port", type=port_number, default=DEFAULT_PORT, help="0 chooses a free port (%(default)s)"
    )
    add_behaviour_options(parser)
    control_key.add_arguments(parser)
    add(
        "--server",
        choices=("hypercorn", "uvicorn", "granian"),
        default="hypercorn",
        help="HTTP server (%(default)s)",
    )
    add(
        "--workers",
        type=limit_options.whole(1, 64),
        default=1,
        metavar="N",
        help="processes that serve the port together, with --store (%(default)s)",
    )
    add(
        "--peer-host",
        default=Settings.peer_host,
        metavar="HOST",
        help="where other servers of the store reach this one (default %(default)s)",
    )
    add("--tls", action="store_true", help="HTTPS and HTTP/2 with a certificate made for this run")
    add("--certfile", type=Path, help="TLS certificate (PEM)")
    add("--keyfile", type=Path, help="TLS private key (PEM)")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM. Exit code 0, 1 with violations under --fail-on, 2 for a
    configuration that cannot work."""
    try:
        if arguments.workers > 1 and not arguments.store:
            raise ConfigurationError("--workers: several processes share a --store postgresql://…")
        settings = settings_of(arguments)
        code = serve(settings, seed_drawn=arguments.seed is None, workers=arguments.workers)
    except ConfigurationError as error:
        print(f"tinker-mock serve: {error}", file=sys.stderr)
        return 2
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed. Taking the interpreter down would take another second where there were
    # thousands of connections, and with granian, whose threads outlive it, abort the process
    # (emmett-framework/granian#693).
    os._exit(code)


def serve(settings: Settings, seed_drawn: bool = False, workers: int = 1) -> int:
    """Bind, announce, serve; returns the exit code. A seed that was drawn is told."""
    with ExitStack() as stack:
        shared = workers > 1
        listener = stack.enter_context(bind_socket(settings.host, settings.port, shared=shared))
        settings = replace(control_key.guarded(settings), port=listener.getsockname()[1])
        if settings.tls and settings.certfile is None:
            from tempfile import TemporaryDirectory

            from tinker_mock.server.serving.servers import make_certificate

            directory = Path(stack.enter_context(TemporaryDirectory()))
            certfile, keyfile = make_certificate(directory, settings.host)
            settings = replace(settings, certfile=certfile, keyfile=keyfile)
        drawn = f"seed {settings.seed}: drawn; --seed {settings.seed} repeats this run\n"
        if not shared:
            return serve_one(settings, listener, drawn=drawn if seed_drawn else "")
        if seed_drawn:
            sys.stderr.write(drawn)

        def serve_another(ready: Ready) -> int:
            with bind_socket(settings.host, settings.port, shared=True) as own:
                return serve_one(settings, own, lambda note: ready())

        return Workers(workers, serve_another).run(lambda: announce(settings, ""))


def serve_one(
    settings: Settings,
    listener: socket.socket,
    ready: Callable[[str], None] | None = None,
    drawn: str = "",
) -> int:
    """Serve in this process; `ready` is told what is to be noted, instead of an announcement.

    `drawn` tells of the seed once the settings are known to work.
    """
    with ExitStack() as stack:
        gc.disable()  # until the collector begins
        stack.callback(gc.enable)
        peers = None
        if settings.store is not None:
            peers = stack.enter_context(bind_socket(settings.peer_host, 0))
            address = f"{settings.peer_host}:{peers.getsockname()[1]}"
            settings = replace(settings, peer_address=address)
        from tinker_mock.server.app import create_app

        app = create_app(settings)
        sys.stderr.write(drawn)
        for warning in app.state.mock.script_warnings:
            print(f"tinker-mock serve: scripts: {warning}", file=sys.stderr)
        if app.state.mock.cluster is not None:
            app.state.mock.cluster.store.fenced = end_at_once
        note = tokenizers_at_hand(app.state.mock.backend.catalog.models.values())

        def tell() -> None:
            announce(settings, note) if ready is None else ready(note)

        return serve_until_signal(app, settings, listener, tell, peers)


def end_at_once() -> None:
    """Others own what this server owned: whatever it did now, nobody would know of it."""
    print("tinker-mock serve: other servers have taken over from this one", file=sys.stderr)
    sys.stderr.flush()
    os._exit(FENCED)


def tokenizers_at_hand(models: Iterable[NamedModel]) -> str:
    """One line: how many models are read with their own tokenizer."""
    from tinker_mock.server.tokenizers import has_own_files

    found = [has_own_files(model) for model in models]
    own, others = sum(found), len(found) - sum(found)
    stand_ins = f"stand-ins for {others}" if own else f"stand-ins for all {others}"
    return f"tokenizers: {f'own ones for {own} models, ' if own else ''}{stand_ins}"


def serve_until_signal(
    app: Any,
    settings: Settings,
    listener: socket.socket,
    ready: Ready,
    peers: socket.socket | None = None,
) -> int:
    """Serve an app until SIGINT or SIGTERM, then say what was seen; returns the exit code."""
    Collector().begin()
    # Every socket write hands the interpreter to the engine's threads: 5 ms are too long to wait.
    sys.setswitchinterval(0.0005)
    control = app.state.mock.control
    preparation = Preparation(control.journal)

    def begun() -> None:
        ready()
        preparation.expect()

    with request_log(control.journal, settings.log):
        asyncio.run(_until_signal(app, settings, listener, begun, peers))
    return int(control.exit_report())


def bind_socket(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket, whose port other processes may serve as well if it is shared; raises
    ConfigurationError when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"cannot bind {host}:{port}: {error.strerror}") from error
    return listener


def announce(settings: Settings, note: str) -> None:
    """The ready line, what to paste into a shell, and the note."""
    certfile = str(settings.certfile or "")
    scheme = "https" if certfile else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"{scheme}://{host}:{settings.port}"
    print(f"tinker-mock ready at {url}")
    print(f"export TINKER_BASE_URL={url}")
    for line in control_key.announcement(settings):
        print(line)
    print("export TINKER_API_KEY=tml-mock", flush=True)
    if certfile:
        print(f"export SSL_CERT_FILE={certfile}", flush=True)
    if note:
        print(f"# {note} (see: tinker-mock tokenizers)", flush=True)
    if settings.control:
        print("# in a browser, that address shows exchanges, loss curves, samples", flush=True)


async def _until_signal(
    app: Any,
    settings: Settings,
    listener: socket.socket,
    ready: Ready,
    peers: socket.socket | None,
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)

    async def until_stopped() -> None:
        ready()
        await stopped.wait()
        gc.disable()  # the process ends: looking for garbage would only delay the last answers

    from tinker_mock.server.serving.servers import serve_app, serve_peers

    if peers is None:
        await serve_app(app, settings, listener, until_stopped)
        return
    left = asyncio.Event()
    others = asyncio.create_task(serve_peers(app.state.for_servers, peers, left))
    try:
        await serve_app(app, settings, listener, until_stopped)
    finally:
        left.set()
        await others
