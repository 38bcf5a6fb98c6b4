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
from tinker_mock.client.types.parameters import (
    AdamOptimizerConfig,
    AdamParams,
    DimuonOptimizerConfig,
    DimuonParams,
    LoraConfig,
    SamplingParams,
)

__all__ = [
    "KEY_DTYPES",
    "AdamOptimizerConfig",
    "AdamParams",
    "Chunk",
    "Datum",
    "DimuonOptimizerConfig",
    "DimuonParams",
    "DmelChunk",
    "EncodedTextChunk",
    "ImageAssetPointerChunk",
    "ImageChunk",
    "LoraConfig",
    "ModelInput",
    "SamplingParams",
]
