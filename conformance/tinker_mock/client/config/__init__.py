"""Settings of a client: where from, in which order, and never printed with a secret in them."""

from tinker_mock.client.config.environment import Environment, read_environment
from tinker_mock.client.config.settings import (
    DEFAULT_BASE_URL,
    ClientConfig,
    Proxy,
    mask_api_key,
    parse_proxy,
    redact_headers,
)

__all__ = [
    "DEFAULT_BASE_URL",
    "ClientConfig",
    "Environment",
    "Proxy",
    "mask_api_key",
    "parse_proxy",
    "read_environment",
    "redact_headers",
]
