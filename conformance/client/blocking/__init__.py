"""The same clients without `await`: each call runs on a background event loop."""

from .clients import RestClient, SamplingClient, ServiceClient, TrainingClient
from .methods import BlockingOperation
from .portal import Portal

__all__ = [
    "BlockingOperation",
    "Portal",
    "RestClient",
    "SamplingClient",
    "ServiceClient",
    "TrainingClient",
]
