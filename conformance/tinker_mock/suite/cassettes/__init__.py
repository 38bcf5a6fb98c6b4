"""Cassettes: what real clients and servers exchanged, replayable in both directions."""
