"""The parts of a request: its body without what was left out, its headers, its address."""

import platform
from collections.abc import Mapping
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import orjson

from tinker_mock.client.config import ClientConfig
from tinker_mock.client.elixir.forms import FileTypes, encode_multipart


class _Absent(Enum):
    NOT_GIVEN = "NOT_GIVEN"
    OMIT = "OMIT"

    def __repr__(self) -> str:
        return self.value


NOT_GIVEN = _Absent.NOT_GIVEN
"""The caller did not say: the field is not sent."""

OMIT = _Absent.OMIT
"""The caller wants the field left out, even if there is a default."""

_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def prepare_body(value: Any, *, drop_nulls: bool = False) -> Any:
    """Drop absent values at every depth, and nulls too if asked; keys become strings.

    False, zero and the empty string are values and stay. List items are never dropped.
    """
    if isinstance(value, Mapping):
        return {
            str(key): prepare_body(item, drop_nulls=drop_nulls)
            for key, item in value.items()
            if not isinstance(item, _Absent) and not (drop_nulls and item is None)
        }
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], (int, float)):
            return value
        return [prepare_body(item, drop_nulls=drop_nulls) for item in value]
    return value


def encode_body(
    body: Any, files: Mapping[str, FileTypes] | None = None, *, boundary: str | None = None
) -> tuple[bytes, str]:
    """Bytes and content type: JSON, or a multipart form when there are files."""
    if files:
        return encode_multipart(prepare_body(body or {}), files, boundary=boundary)
    return orjson.dumps(prepare_body(body)), "application/json"


def standard_headers(config: ClientConfig, read_timeout: float) -> dict[str, str]:
    """Who is calling and how long it will wait for an answer (seconds)."""
    preset = config.preset
    machine = platform.machine().lower()
    headers = {
        "accept": "application/json",
        "user-agent": preset.user_agent,
        "x-stainless-package-version": preset.sdk_version,
        "x-stainless-os": platform.system() or "Unknown",
        "x-stainless-arch": _ARCHITECTURES.get(machine, machine or "unknown"),
        "x-stainless-runtime": platform.python_implementation(),
        "x-stainless-runtime-version": platform.python_version(),
        "x-stainless-read-timeout": f"{read_timeout:g}",
    }
    if config.cf_access_client_id and config.cf_access_client_secret:
        headers["cf-access-client-id"] = config.cf_access_client_id
        headers["cf-access-client-secret"] = config.cf_access_client_secret
    return headers


def merge_headers(*layers: Mapping[str, str]) -> dict[str, str]:
    """Later layers win, whatever the case of their names."""
    merged: dict[str, str] = {}
    for layer in layers:
        merged.update({name.lower(): value for name, value in layer.items()})
    return merged


def build_url(
    base_url: str,
    path: str,
    query: Mapping[str, Any] | None = None,
    default_query: Mapping[str, Any] | None = None,
) -> str:
    """Join: the base's own path stays in front; default query < the path's < the call's."""
    base = urlsplit(base_url)
    own_path, _, own_query = path.partition("?")
    layers: dict[str, str] = {key: _text(value) for key, value in (default_query or {}).items()}
    layers.update(parse_qsl(own_query, keep_blank_values=True))
    layers.update({key: _text(value) for key, value in (query or {}).items() if value is not None})
    joined = base.path.rstrip("/") + "/" + own_path.lstrip("/")
    return urlunsplit((base.scheme, base.netloc, joined, urlencode(layers), ""))


def segment(text: str) -> str:
    """A value as one path segment: everything but letters, digits and `-._~` is escaped."""
    return quote(text, safe="")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_text(item) for item in value)
    return str(value)
