"""Cassettes: what real clients and servers said to each other, replayable in both directions."""
