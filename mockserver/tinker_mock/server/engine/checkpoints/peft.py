"""A checkpoint in the files that PEFT-aware software expects.

`adapter_model.safetensors` gets one lora_A / lora_B pair per trained module, in float32 and with
the adapter's rank. They hold the sparse adapter exactly: lora_A [rank, n] the token digits of the
keys, lora_B [m, rank] the values, both padded. Their product means nothing to another model.

Digits are below 2^19 (`keys.MAX_BITS`), and float32 holds whole numbers up to 2^24. They are stored
plus one, so that 0 is padding.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.keys import KeySpace

PREFIX = "base_model.model."
MODULES = ("lm_head", "model.layers.0.mlp.down_proj", "model.layers.0.self_attn.q_proj")
"""One module per order: unembedding, MLP, attention."""

Arrays = dict[str, NDArray[Any]]


def peft_adapter(
    base_model: str,
    rank: int,
    trained: tuple[bool, bool, bool],
    state: Mapping[str, NDArray[Any]],
) -> tuple[dict[str, Any], Arrays]:
    """`adapter_config.json` as a dict and the tensors of `adapter_model.safetensors`.

    `trained` is (train_unembed, train_mlp, train_attn); untrained modules are left out.
    """
    size = int(state["vocabulary_size"][0])
    space = KeySpace(size)
    tensors: Arrays = {}
    kept = [order for order in range(3) if trained[order] or state[f"orders.{order}.keys"].size]
    for order in kept:
        keys = np.asarray(state[f"orders.{order}.keys"], dtype=np.int64)
        shifts = [space.bits * place for place in range(order, -1, -1)]
        digits = np.stack([(keys >> s) & ((1 << space.bits) - 1) for s in shifts], axis=1)
        name = PREFIX + MODULES[order]
        tensors[f"{name}.lora_A.weight"] = _packed(digits.ravel() + 1, rank)
        values = np.asarray(state[f"orders.{order}.values"], dtype=np.float32)
        tensors[f"{name}.lora_B.weight"] = np.ascontiguousarray(_packed(values, rank).T)
    config = {
        "base_model_name_or_path": base_model,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "lora_alpha": 32,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": rank,
        "target_modules": [MODULES[order].rpartition(".")[2] for order in kept],
        "task_type": "CAUSAL_LM",
        "vocabulary_size": size,
    }
    return config, tensors


def from_peft(config: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Arrays:
    """The exported weights back from the two PEFT files; refuses other software's adapters."""
    if "vocabulary_size" not in config:
        raise EngineError(
            "adapter_config.json",
            "has no vocabulary_size: this adapter was not made here",
            "Import only archives that this server exported",
        )
    space = KeySpace(int(config["vocabulary_size"]))
    state: Arrays = {"vocabulary_size": np.array([space.vocabulary_size])}
    for order, module in enumerate(MODULES):
        name = PREFIX + module
        packed = tensors.get(f"{name}.lora_A.weight", np.zeros((1, 0), dtype=np.float32))
        flat = packed.ravel().astype(np.int64)
        digits = flat[flat > 0].reshape(-1, order + 1) - 1
        keys = np.zeros(digits.shape[0], dtype=np.int64)
        for place in range(order + 1):
            keys = (keys << space.bits) | digits[:, place]
        values = tensors.get(f"{name}.lora_B.weight", np.zeros((0, 1), dtype=np.float32))
        state[f"orders.{order}.keys"] = keys
        state[f"orders.{order}.values"] = np.ascontiguousarray(values.T).ravel()[: keys.size]
    return state


def _packed(flat: NDArray[Any], rank: int) -> NDArray[np.float32]:
    columns = max(1, -(-flat.size // rank))
    padded = np.zeros(rank * columns, dtype=np.float32)
    padded[: flat.size] = flat
    return padded.reshape(rank, columns)
