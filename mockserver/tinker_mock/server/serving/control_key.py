"""The key of the control API: given, read, or drawn where others could reach it."""

import argparse
import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tinker_mock.server.access import is_loopback
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.settings import Settings

VARIABLE = "TINKER_MOCK_CONTROL_KEY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options about who may steer."""
    add = parser.add_argument
    add("--control", action=argparse.BooleanOptionalAction, default=True, help="serve /_mock")
    add("--control-key", metavar="KEY", help=f"key that /_mock asks for (or {VARIABLE})")
    add("--control-key-file", type=Path, metavar="FILE", help="file that holds the key")
    add(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name under which /_mock answers without a key",
    )
    add("--base-url", default="", metavar="URL", help="where clients reach it; links start with it")


GIVEN = {"control_key", "base_url"}


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that need more than their option's value; raises ConfigurationError."""
    return {"control_key": key_of(arguments), "base_url": checked_url(arguments.base_url)}


def key_of(arguments: argparse.Namespace) -> str | None:
    """The key that was given; raises ConfigurationError for a file without one."""
    file: Path | None = arguments.control_key_file
    if arguments.control_key is not None and file is not None:
        raise ConfigurationError("--control-key and --control-key-file: give one of them")
    key: str | None = arguments.control_key
    if file is not None:
        try:
            key = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"--control-key-file {file}: cannot be read: {error}"
            ) from error
    elif key is None:
        key = os.environ.get(VARIABLE)
    if key is not None and not (key and key.isascii() and key.isprintable()):
        raise ConfigurationError("the control key must be printable ASCII, and not empty")
    return key


def checked_url(url: str) -> str:
    """An address that links can start with; raises ConfigurationError."""
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query):
        raise ConfigurationError(f"--base-url {url!r} is no http(s) address")
    return url.rstrip("/")


def guarded(settings: Settings) -> Settings:
    """The same with a key, if it is reachable from other machines and has none yet."""
    if not settings.control or settings.control_key is not None or is_loopback(settings.host):
        return settings
    return replace(settings, control_key=secrets.token_urlsafe(18), control_key_drawn=True)


def announcement(settings: Settings) -> list[str]:
    """What to print for people who will steer; nothing on this machine alone."""
    if is_loopback(settings.host):
        return []
    lines = [f"# {settings.host}: other machines can reach this mock, and use it with any API key"]
    if settings.control_key_drawn:
        lines.append(f"export {VARIABLE}={settings.control_key}")
    return lines
