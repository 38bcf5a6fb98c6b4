"""Requests and results as dataclasses, with their JSON and protobuf."""

from tinker_mock.client.types.chunks import (
    Chunk,
    DmelChunk,
    EncodedTextChunk,
    ImageAssetPointerChunk,
    ImageChunk,
)
from tinker_mock.client.types.datum import KEY_DTYPES, Datum
from tinker_mock.client.types.model_input import ModelInput
from tinker_mock.client.types.parameters import AdamParams, LoraConfig, SamplingParams

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
