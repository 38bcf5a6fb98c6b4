"""The arrays a checkpoint stands for."""

from collections.abc import Mapping
from typing import Any

from tinker_mock.server.engine import export_weights
from tinker_mock.server.state.records import Checkpoint


def arrays_of(checkpoint: Checkpoint) -> Mapping[str, Any]:
    """The engine's arrays; a sampler checkpoint's are its weights alone."""
    if checkpoint.arrays:
        return checkpoint.arrays
    assert checkpoint.weights is not None
    return export_weights(checkpoint.weights)
