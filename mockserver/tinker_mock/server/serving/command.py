"""`tinker-mock serve`: run the app on a socket until told to stop.

examples:
  tinker-mock serve                              # then paste what it prints into your shell
  tinker-mock serve --port 0 --seed 7 --scenario rate-limited --fail-on violation
  tinker-mock serve --clock auto --models mine.yaml --tls
  tinker-mock serve --scripts answers.yaml       # prompts with answers that you wrote
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.settings import DEFAULT_PORT, Settings
from tinker_mock.server.stand_in.vocabulary import NamedModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `serve`."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to bind (default %(default)s)")
    add(
        "--port", type=port_number, default=DEFAULT_PORT, help="0 chooses a free port (%(default)s)"
    )
    add("--seed", type=int, default=0, help="ids, samples and faults follow from it")
    add("--models", type=Path, metavar="FILE", help="YAML of further base models")
    add("--scenario", metavar="NAME|FILE", help="how the server misbehaves")
    add("--scripts", type=Path, metavar="FILE", help="YAML of answers to prompts")
    add("--clock", default="real", help="real, xRATE (x60), manual or auto")
    add("--strict", action="store_true", help="refuse request fields the contract does not know")
    add("--long-poll", type=float, default=30.0, metavar="S", help="seconds a poll is held")
    add("--break", dest="break_check", metavar="CHECK", help="violate exactly this check")
    add("--fail-on", choices=("violation",), help="exit with 1 if a client broke the contract")
    add("--control", action=argparse.BooleanOptionalAction, default=True, help="serve /_mock")
    add("--control-key", metavar="KEY", help="key that /_mock asks for")
    add(
        "--server",
        choices=("hypercorn", "uvicorn", "granian"),
        default="hypercorn",
        help="HTTP server (%(default)s)",
    )
    add("--tls", action="store_true", help="HTTPS and HTTP/2 with a certificate made for this run")
    add("--certfile", type=Path, help="TLS certificate (PEM)")
    add("--keyfile", type=Path, help="TLS private key (PEM)")
    add("--client-config", action="append", default=[], metavar="NAME=VALUE", help="SDK flag")
    add("--dynamic-config", action="append", default=[], metavar="NAME=VALUE", help="SDK flag")


def port_number(text: str) -> int:
    """A TCP port, 0 for a free one (an argparse type)."""
    if not (text.isdecimal() and text.isascii() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Settings from parsed options; raises ConfigurationError."""
    told = {k: v for k, v in vars(arguments).items() if k in Settings.__dataclass_fields__}
    told["client_config"] = _flags(arguments.client_config, "--client-config")
    told["dynamic_config"] = _flags(arguments.dynamic_config, "--dynamic-config")
    if arguments.certfile or arguments.keyfile:
        told["keyfile"] = checked_key(arguments.certfile, arguments.keyfile)
    return Settings(**told)


def checked_key(certfile: Path | None, keyfile: Path | None) -> Path:
    """The file of the certificate's key: `keyfile`, or the certificate's own.

    Raises ConfigurationError when the two cannot be used together.
    """
    import ssl

    if certfile is None:
        raise ConfigurationError("--keyfile needs --certfile")
    for option, file in (("--certfile", certfile), ("--keyfile", keyfile)):
        if file is not None and not file.is_file():
            raise ConfigurationError(f"{option} {file}: no such file")
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certfile, keyfile, password=lambda: "")  # never ask the terminal
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(
            f"--certfile {certfile}: no certificate with key: {reason}"
        ) from error
    return keyfile or certfile


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM. Exit code 0, 1 with violations under --fail-on, 2 for a
    configuration that cannot work."""
    try:
        settings = settings_of(arguments)
        code = serve(settings)
    except ConfigurationError as error:
        print(f"tinker-mock serve: {error}", file=sys.stderr)
        return 2
    if settings.server == "granian":
        # Its threads outlive it: one that wants the interpreter while that is torn down aborts
        # the process (emmett-framework/granian#693).
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def serve(settings: Settings) -> int:
    """Bind, announce, serve; returns the exit code."""
    from tinker_mock.server.serving.servers import make_certificate

    with ExitStack() as stack:
        listener = stack.enter_context(bind_socket(settings.host, settings.port))
        settings = replace(settings, port=listener.getsockname()[1])
        if settings.tls and settings.certfile is None:
            directory = Path(stack.enter_context(TemporaryDirectory()))
            certfile, keyfile = make_certificate(directory, settings.host)
            settings = replace(settings, certfile=certfile, keyfile=keyfile)
        from tinker_mock.server.app import create_app

        app = create_app(settings)
        for warning in app.state.mock.script_warnings:
            print(f"tinker-mock serve: scripts: {warning}", file=sys.stderr)
        note = tokenizers_at_hand(app.state.mock.backend.catalog.models.values())
        return serve_until_signal(app, settings, listener, note)


def tokenizers_at_hand(models: Iterable[NamedModel]) -> str:
    """One line: how many models are read with their own tokenizer."""
    from tinker_mock.server.tokenizers import has_own_files

    found = [has_own_files(model) for model in models]
    own, others = sum(found), len(found) - sum(found)
    stand_ins = f"stand-ins for {others}" if own else f"stand-ins for all {others}"
    return f"tokenizers: {f'own ones for {own} models, ' if own else ''}{stand_ins}"


def serve_until_signal(
    app: Any, settings: Settings, listener: socket.socket, note: str = ""
) -> int:
    """Serve an app until SIGINT or SIGTERM, then say what was seen; returns the exit code."""
    # Every socket write hands the interpreter to the engine's threads: 5 ms are too long to wait.
    sys.setswitchinterval(0.0005)
    asyncio.run(_until_signal(app, settings, listener, note))
    return int(app.state.mock.control.exit_report())


def bind_socket(host: str, port: int) -> socket.socket:
    """A listening socket; raises ConfigurationError when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"cannot bind {host}:{port}: {error.strerror}") from error
    return listener


def announce(settings: Settings, certfile: str, note: str) -> None:
    """The ready line, what to paste into a shell, and the note."""
    scheme = "https" if certfile else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"{scheme}://{host}:{settings.port}"
    print(f"tinker-mock ready at {url}")
    print(f"export TINKER_BASE_URL={url}")
    print("export TINKER_API_KEY=tml-mock", flush=True)
    if certfile:
        print(f"export SSL_CERT_FILE={certfile}", flush=True)
    if note:
        print(f"# {note} (see: tinker-mock tokenizers)", flush=True)


async def _until_signal(app: Any, settings: Settings, listener: socket.socket, note: str) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)

    async def until_stopped() -> None:
        announce(settings, str(settings.certfile or ""), note)
        await stopped.wait()

    from tinker_mock.server.serving.servers import serve_app

    await serve_app(app, settings, listener, until_stopped)


def _flags(pairs: list[str], option: str) -> dict[str, Any]:
    """`name=value` pairs; values are JSON where they parse as JSON, else text."""
    import orjson

    flags: dict[str, Any] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign:
            raise ConfigurationError(f"{option} {pair}: expected NAME=VALUE")
        try:
            flags[name] = orjson.loads(text)
        except orjson.JSONDecodeError:
            flags[name] = text
    return flags
