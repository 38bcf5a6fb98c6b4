"""`tinker-mock serve`: run the app on a socket until told to stop.

examples:
  tinker-mock serve                              # then paste what it prints into your shell
  tinker-mock serve --port 0 --seed 7 --scenario rate-limited --fail-on violation
  tinker-mock serve --clock auto --models mine.yaml --tls
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tinker_mock.server.database.keeper import stored_seed
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.settings import DEFAULT_PORT, Settings
from tinker_mock.server.signer import VARIABLE, checked_secret, drawn_seed, secret_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `serve`."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to bind (default %(default)s)")
    add(
        "--port", type=port_number, default=DEFAULT_PORT, help="0 chooses a free port (%(default)s)"
    )
    add("--seed", type=int, help="ids, samples and faults follow from it (default: drawn, printed)")
    add("--secret-file", type=Path, metavar="FILE", help="what links and tokens are signed with")
    add("--models", type=Path, metavar="FILE", help="YAML of further base models")
    add("--scenario", metavar="NAME|FILE", help="how the server misbehaves")
    add("--clock", default="real", help="real, xRATE (x60), manual or auto")
    add("--strict", action="store_true", help="refuse request fields the contract does not know")
    add("--long-poll", type=float, default=30.0, metavar="S", help="seconds a poll is held")
    add("--data-dir", type=Path, metavar="DIR", help="keep the state there: it outlives the run")
    add_limits(parser)
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


def add_limits(parser: argparse.ArgumentParser) -> None:
    """How long things are kept, and how many."""
    known = Settings()
    add = parser.add_argument
    add(
        "--retention",
        dest="result_retention",
        type=float,
        default=known.result_retention,
        metavar="S",
        help="seconds that results stay readable (%(default)g)",
    )
    add(
        "--keep",
        type=float,
        default=known.keep,
        metavar="S",
        help="seconds that ended sessions and accounts are kept (%(default)g)",
    )
    for name, what in (("tenants", "API keys"), ("sessions", "sessions"), ("snapshots", "")):
        add(
            f"--max-{name}",
            type=int,
            default=getattr(known, f"max_{name}"),
            metavar="N",
            help=f"{what or name} that are held at most (%(default)s)",
        )


def port_number(text: str) -> int:
    """A TCP port, 0 for a free one (an argparse type)."""
    if not (text.isdecimal() and text.isascii() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Settings from parsed options; raises ConfigurationError."""
    told = {k: v for k, v in vars(arguments).items() if k in Settings.__dataclass_fields__}
    told["seed"] = _seed(arguments) if arguments.seed is None else arguments.seed
    told["secret"] = _secret(arguments.secret_file)
    told["client_config"] = _flags(arguments.client_config, "--client-config")
    told["dynamic_config"] = _flags(arguments.dynamic_config, "--dynamic-config")
    if arguments.certfile or arguments.keyfile:
        told["keyfile"] = checked_key(arguments.certfile, arguments.keyfile)
    return Settings(**told)


def _seed(arguments: argparse.Namespace) -> int:
    """The seed of a run that was given none: its data directory's, or a new one."""
    known = stored_seed(arguments.data_dir) if arguments.data_dir else None
    return drawn_seed() if known is None else known


def _secret(file: Path | None) -> str | None:
    """The secret in a file, else in the environment, else none. Raises ConfigurationError."""
    if file is not None:
        return secret_from(file)
    given = os.environ.get(VARIABLE)
    return checked_secret(given, VARIABLE) if given else None


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
        code = serve(settings, seed_drawn=arguments.seed is None)
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


def serve(settings: Settings, seed_drawn: bool = False) -> int:
    """Bind, announce, serve; returns the exit code. A seed that was drawn is told."""
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
        if seed_drawn:
            seed = settings.seed
            print(f"seed {seed}: drawn; --seed {seed} repeats this run", file=sys.stderr)
        return serve_until_signal(app, settings, listener)


def serve_until_signal(app: Any, settings: Settings, listener: socket.socket) -> int:
    """Serve an app until SIGINT or SIGTERM, then say what was seen; returns the exit code."""
    # Every socket write hands the interpreter to the engine's threads: 5 ms are too long to wait.
    sys.setswitchinterval(0.0005)
    asyncio.run(_until_signal(app, settings, listener))
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


def announce(settings: Settings, certfile: str) -> None:
    """The ready line and what to paste into a shell."""
    scheme = "https" if certfile else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"{scheme}://{host}:{settings.port}"
    print(f"tinker-mock ready at {url}")
    print(f"export TINKER_BASE_URL={url}")
    print("export TINKER_API_KEY=tml-mock", flush=True)
    if certfile:
        print(f"export SSL_CERT_FILE={certfile}", flush=True)


async def _until_signal(app: Any, settings: Settings, listener: socket.socket) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)

    async def until_stopped() -> None:
        announce(settings, str(settings.certfile or ""))
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
