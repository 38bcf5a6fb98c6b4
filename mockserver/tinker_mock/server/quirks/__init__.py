"""Quirks: other behaviours of the service that weaker witnesses tell of, switched on by name."""

from tinker_mock.server.quirks.active import ActiveQuirks, Quirk, UnknownQuirk, quirk_of

__all__ = ["ActiveQuirks", "Quirk", "UnknownQuirk", "quirk_of"]
