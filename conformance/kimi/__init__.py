"""Kimi K2's tool-calling rules: a transformer for clients and gateways, parsers, metrics."""

from conformance.kimi.httpx_transport import AsyncKimiTransport, KimiTransport
from conformance.kimi.options import KimiOptions, OptionError
from conformance.kimi.registry import Chain, default_registry
from conformance.kimi.reports import Report
from conformance.kimi.transformer import KimiTransformer, ToolMessageError

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
