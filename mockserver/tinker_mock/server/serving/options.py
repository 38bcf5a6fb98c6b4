"""The options that `serve`, `run` and `proxy` share, and the settings that they make."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.journal.request_log import LOGS
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.serving import control_key, limit_options
from tinker_mock.server.settings import Settings
from tinker_mock.server.signer import VARIABLE, checked_secret, drawn_seed, secret_from
from tinker_mock.server.yaml_section import seconds

if TYPE_CHECKING:
    from tinker_mock.server.database import directory
else:
    directory = LazyModule("tinker_mock.server.database.directory", rare=True)


def add_behaviour_options(parser: argparse.ArgumentParser) -> None:
    """How a mock behaves, wherever it listens."""
    add = parser.add_argument
    add("--seed", type=int, help="ids, samples and faults follow from it (default: drawn, printed)")
    add("--secret-file", type=Path, metavar="FILE", help="what links and tokens are signed with")
    add("--models", type=Path, metavar="FILE", help="YAML of further base models")
    add("--include-retired", action="store_true", help="offer models that the service retired too")
    add("--catalog-date", metavar="DATE", help="offer the models of that day (YYYY-MM-DD)")
    add(
        "--adapter-shapes",
        choices=("real", "compact"),
        default="real",
        help="archives as large as the base model's adapters, or small (%(default)s)",
    )
    add("--scenario", metavar="NAME|FILE", help="how the server misbehaves")
    add("--scripts", type=Path, metavar="FILE", help="YAML of answers to prompts")
    add(
        "--quirk",
        dest="quirks",
        action="append",
        default=[],
        metavar="NAME",
        help="behave as another witness says (tinker-mock explain quirk); repeatable",
    )
    add("--clock", default="real", help="real, xRATE (x60), manual or auto")
    add(
        "--key",
        dest="keys",
        action="append",
        default=[],
        metavar="KEY=ROLE[@KEY2]",
        help="an API key's role: admin, billing-admin, member or project-sampler; @KEY2: in whose "
        "organization (without: its own)",
    )
    add(
        "--accept-keys",
        action="append",
        default=[],
        metavar="GLOB",
        help="API keys of other services that are keys here too: 'fw_*'; repeatable",
    )
    add(
        "--cycle",
        type=cycle_length,
        metavar="TIME",
        help="work in clock cycles of that length (10s), as the service's worker pools do",
    )
    add("--strict", action="store_true", help="refuse request fields the contract does not know")
    add("--data-dir", type=Path, metavar="DIR", help="keep the state there: it outlives the run")
    add("--store", metavar="URL", help="keep it in PostgreSQL (postgresql://…) and share it")
    limit_options.add_arguments(parser)
    add(
        "--break",
        dest="break_check",
        metavar="NAME",
        help="break this check, or plant this fault",
    )
    add("--fail-on", choices=("violation",), help="exit with 1 if a client broke the contract")
    add("--client-config", action="append", default=[], metavar="NAME=VALUE", help="SDK flag")
    add("--dynamic-config", action="append", default=[], metavar="NAME=VALUE", help="SDK flag")
    add_log_options(parser)


def add_log_options(parser: argparse.ArgumentParser) -> None:
    """`--log` and `--quiet`."""
    add = parser.add_argument
    add(
        "--log",
        choices=LOGS,
        default="auto",
        help="a line a request on standard error (auto: text on a terminal, off in a pipe)",
    )
    add("--quiet", dest="log", action="store_const", const="off", help="as --log off")


def port_number(text: str) -> int:
    """A TCP port, 0 for a free one (an argparse type)."""
    if not (text.isdecimal() and text.isascii() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")
    return int(text)


def cycle_length(text: str) -> float:
    """Seconds of a clock cycle (an argparse type)."""
    length = seconds(text)
    if not length:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of a cycle: write 10s or 500ms")
    return length


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Settings from parsed options; raises ConfigurationError."""
    told = {k: v for k, v in vars(arguments).items() if k in Settings.__dataclass_fields__}
    check_store(arguments)
    told["seed"] = _seed(arguments) if arguments.seed is None else arguments.seed
    told["secret"] = _secret(arguments.secret_file)
    told["keys"] = tuple(arguments.keys)
    if "base_url" in arguments:
        told |= control_key.given(arguments)
    told["client_config"] = _flags(arguments.client_config, "--client-config")
    told["dynamic_config"] = _flags(arguments.dynamic_config, "--dynamic-config")
    if told.get("certfile") or told.get("keyfile"):
        told["keyfile"] = checked_key(told.get("certfile"), told.get("keyfile"))
    return Settings(**told)


def check_store(arguments: argparse.Namespace) -> None:
    """Raises ConfigurationError for a store that cannot be one."""
    store = getattr(arguments, "store", None)
    if store is None:
        return
    if not store.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(f"--store {store}: an address is postgresql://HOST/DATABASE")
    if getattr(arguments, "data_dir", None) is not None:
        raise ConfigurationError("--store and --data-dir: the state is in one of them")
    if arguments.clock == "auto":
        raise ConfigurationError("--clock auto: each server of a store would leap by itself")


def _seed(arguments: argparse.Namespace) -> int:
    """The seed of a run that was given none: that of its data directory or store, or a new one."""
    folder = getattr(arguments, "data_dir", None)
    if getattr(arguments, "store", None):
        return seed_of_store(arguments.store)
    known = directory.stored_seed(folder) if folder else None
    return drawn_seed() if known is None else known


def seed_of_store(address: str) -> int:
    """A store's seed, drawn if it has none. Raises ConfigurationError."""
    try:
        from tinker_mock.server.database.shared_store import SharedStore, claimed_seed
    except ImportError as error:
        raise ConfigurationError(
            f"--store: {error.name} is not installed; pip install 'tinker-mock[postgres]'"
        ) from error
    store = SharedStore(address)
    try:
        return claimed_seed(store, drawn_seed())
    finally:
        store.close()


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
