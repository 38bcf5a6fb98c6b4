"""Parity vectors: recorded behaviour of other implementations, run against ours."""
