"""How large a datum will be on the wire, roughly."""

from typing import Any

from ..inputs.chunks import Chunk, DmelChunk, EncodedTextChunk, ImageChunk
from ..inputs.datum import Datum
from ..inputs.model_input import ModelInput
from ..presets import Preset
from ..tensors.data import TensorData

_ITEM_BYTES = {"int64": 8, "float32": 4}
_SPARSE_INDEX_BYTES = 8
_OLD_ELEMENT_BYTES = 10


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
