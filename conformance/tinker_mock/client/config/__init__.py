"""Settings of a client: where from, in which order, and never printed with a secret in them."""

from tinker_mock.client.config.environment import Environment, read_environment
from tinker_mock.client.config.masking import mask_api_key, redact_headers
from tinker_mock.client.config.proxies import Proxy, parse_proxy
from tinker_mock.client.config.settings import DEFAULT_BASE_URL, ClientConfig, ClientOptions

__all__ = [
    "DEFAULT_BASE_URL",
    "ClientConfig",
    "ClientOptions",
    "Environment",
    "Proxy",
    "mask_api_key",
    "parse_proxy",
    "read_environment",
    "redact_headers",
]
