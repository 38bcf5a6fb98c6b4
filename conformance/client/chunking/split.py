"""One batch, several requests."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..inputs.datum import Datum
from ..presets import Preset
from .estimate import datum_bytes


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """How much goes into one request; the server may say otherwise in `client/config`."""

    max_data: int = 1024
    max_bytes: int = 5_000_000


@dataclass(frozen=True, slots=True)
class DataChunk:
    """Consecutive data of one request, with their estimated bytes."""

    data: Sequence[Datum]
    size: int


def split(data: Sequence[Datum], preset: Preset, limits: ChunkLimits) -> list[DataChunk]:
    """Cut greedily, keeping order. A datum larger than the byte limit gets its own chunk."""
    chunks: list[DataChunk] = []
    current: list[Datum] = []
    size = 0
    for datum in data:
        more = datum_bytes(datum, preset)
        full = len(current) >= limits.max_data or size + more > limits.max_bytes
        if current and full:
            chunks.append(DataChunk(current, size))
            current, size = [], 0
        current.append(datum)
        size += more
    if current:
        chunks.append(DataChunk(current, size))
    return chunks
