"""Settings of a client: where from, in which order, and never printed with a secret in them."""

from .environment import Environment, read_environment
from .masking import mask_api_key, redact_headers
from .proxies import Proxy, parse_proxy
from .settings import DEFAULT_BASE_URL, ClientConfig

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
