"""One batch, several requests: cut by the estimated bytes of its data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinker_mock.client.config.presets import Preset
from tinker_mock.client.types.chunks import Chunk, DmelChunk, EncodedTextChunk, ImageChunk
from tinker_mock.client.types.datum import Datum
from tinker_mock.client.types.model_input import ModelInput
from tinker_mock.client.types.tensors import TensorData

_ITEM_BYTES = {"int64": 8, "float32": 4}
_SPARSE_INDEX_BYTES = 8
_OLD_ELEMENT_BYTES = 10


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


def datum_bytes(datum: Datum, preset: Preset) -> int:
    """Estimated bytes of a datum: its inputs and its tensors."""
    tensors = sum(tensor_bytes(tensor, preset) for tensor in datum.loss_fn_inputs.values())
    return model_input_bytes(datum.model_input, preset) + tensors


def model_input_bytes(model_input: ModelInput, preset: Preset) -> int:
    """Estimated bytes of all chunks."""
    return sum(chunk_bytes(chunk, preset) for chunk in model_input.chunks)


def chunk_bytes(chunk: Chunk, preset: Preset) -> int:
    """Per token, per image byte (raw or base64, by preset), per character of a location."""
    if isinstance(chunk, EncodedTextChunk):
        return len(chunk.tokens) * preset.bytes_per_token
    if isinstance(chunk, ImageChunk):
        raw = len(chunk.data)
        return raw if preset.image_bytes == "raw" else (raw * 4 + 2) // 3  # base64, unpadded
    return len(chunk.dmel) if isinstance(chunk, DmelChunk) else len(chunk.location)


def tensor_bytes(tensor: TensorData | Any, preset: Preset) -> int:
    """Ten per element in the old clients; in the new ones what the values take, sparse too."""
    if preset.tensor_bytes == "ten_per_element":
        return len(tensor.data) * _OLD_ELEMENT_BYTES
    indices = len(tensor.sparse_crow_indices or ()) + len(tensor.sparse_col_indices or ())
    return len(tensor.data) * _ITEM_BYTES[tensor.dtype] + indices * _SPARSE_INDEX_BYTES
