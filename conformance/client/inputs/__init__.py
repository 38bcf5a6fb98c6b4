"""What a model is given: token chunks, images, and the tensors of a loss."""

from .chunks import Chunk, DmelChunk, EncodedTextChunk, ImageAssetPointerChunk, ImageChunk
from .datum import KEY_DTYPES, Datum
from .model_input import ModelInput
from .parameters import AdamParams, LoraConfig, SamplingParams

__all__ = [
    "KEY_DTYPES",
    "AdamParams",
    "Chunk",
    "Datum",
    "DmelChunk",
    "EncodedTextChunk",
    "ImageAssetPointerChunk",
    "ImageChunk",
    "LoraConfig",
    "ModelInput",
    "SamplingParams",
]
