"""Kimi K2's tool-calling rules: a transformer for clients and gateways, parsers, metrics."""

from tinker_mock.kimi.httpx_transport import AsyncKimiTransport, KimiTransport
from tinker_mock.kimi.options import KimiOptions, OptionError
from tinker_mock.kimi.registry import Chain, default_registry
from tinker_mock.kimi.reports import Report
from tinker_mock.kimi.transformer import KimiTransformer, ToolMessageError

__all__ = [
    "AsyncKimiTransport",
    "Chain",
    "KimiOptions",
    "KimiTransformer",
    "KimiTransport",
    "OptionError",
    "Report",
    "ToolMessageError",
    "default_registry",
]
