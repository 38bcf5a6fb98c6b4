"""Trained weights as a LoRA adapter in PEFT's layout.

The engine's parameters are sparse pairs, not matrices. The adapter is a small stand-in of the
right form: `lora_A` is fixed by the checkpoint's base model, and each trained value lands in one
cell of a `lora_B`, so an untrained model gives zeros and different trainings differ.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mockserver.service.stored_arrays import arrays_of
from mockserver.state.records import Checkpoint

WIDTH = 64
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
LAYER = "base_model.model.model.layers.0"


def peft_adapter(checkpoint: Checkpoint) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """`adapter_config.json`'s value and the tensors of `adapter_model.safetensors`."""
    places = _places(checkpoint)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": checkpoint.base_model,
        "r": checkpoint.rank,
        "lora_alpha": checkpoint.rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": [place.rsplit(".", 1)[-1] for place, _ in places],
    }
    tensors: dict[str, NDArray[np.float32]] = {}
    arrays = arrays_of(checkpoint)
    for place, order in places:
        generator = np.random.default_rng(_seed(checkpoint.base_model, place))
        first = generator.normal(0, 0.02, (checkpoint.rank, WIDTH))
        tensors[f"{place}.lora_A.weight"] = first.astype(np.float32)
        tensors[f"{place}.lora_B.weight"] = _spread(arrays, order, place, checkpoint.rank)
    return config, tensors


def _places(checkpoint: Checkpoint) -> list[tuple[str, int]]:
    """Module paths that were trained, with the order of context whose values they carry."""
    found: list[tuple[str, int]] = []
    if checkpoint.train_attn:
        found += [(f"{LAYER}.self_attn.{name}", 2) for name in ATTENTION]
    if checkpoint.train_mlp:
        found += [(f"{LAYER}.mlp.{name}", 1) for name in MLP]
    if checkpoint.train_unembed:
        found.append(("base_model.model.lm_head", 0))
    return found


def _spread(arrays: dict[str, Any], order: int, place: str, rank: int) -> NDArray[np.float32]:
    matrix = np.zeros(WIDTH * rank, dtype=np.float64)
    keys = np.asarray(arrays[f"orders.{order}.keys"], dtype=np.uint64)
    values = np.asarray(arrays[f"orders.{order}.values"], dtype=np.float64)
    factor = np.uint64(_seed("cell", place) | 1)
    np.add.at(matrix, ((keys * factor) >> np.uint64(17)) % np.uint64(matrix.size), values)
    return matrix.reshape(WIDTH, rank).astype(np.float32)


def _seed(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("\x1f".join(parts).encode()).digest()[:8], "big")
