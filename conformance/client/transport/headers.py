"""The headers every request carries."""

import platform
from collections.abc import Mapping

from ..config import ClientConfig

_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


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
