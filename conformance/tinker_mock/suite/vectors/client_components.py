"""Components of the client's vectors: all but the tokenizer ones.

Each calls the reference client itself, over a scripted server where HTTP is involved. Where two
original clients differ, the preset of the column is used.
"""

from tinker_mock.suite.vectors.client import (
    cli,
    data,
    errors,
    files,
    futures,
    http,
    losses,
    metrics,
    recovery,
    rest,
    sampling,
    sessions,
    settings,
    streams,
    telemetry,
    training,
)
from tinker_mock.suite.vectors.client.stage import Component

_TABLES = (
    cli,
    data,
    errors,
    files,
    futures,
    http,
    losses,
    metrics,
    recovery,
    rest,
    sampling,
    sessions,
    settings,
    streams,
    telemetry,
    training,
)

COMPONENTS: dict[str, Component] = {
    name: component for table in _TABLES for name, component in table.COMPONENTS.items()
}
