"""A validating proxy: the contract, the journal and the faults in front of a real endpoint."""

from mockserver.proxy.app import create_proxy

__all__ = ["create_proxy"]
