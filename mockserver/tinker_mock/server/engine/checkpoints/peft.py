"""A checkpoint in the files that PEFT-aware software expects.

`adapter_model.safetensors` gets one lora_A / lora_B pair per trained module, in float32 and with
the adapter's rank. They hold the sparse adapter exactly: lora_A [rank, n] what names the pairs,
lora_B [m, rank] the values, both padded. Their product means nothing to another model.

Names are cut into digits of 16 bits, since float32 holds whole numbers up to 2^24 only. They are
stored plus one, so that 0 is padding.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.adapter import FORMAT

PREFIX = "base_model.model."
MODULES = ("lm_head", "model.layers.0.mlp.down_proj", "model.layers.0.self_attn.q_proj")
"""Unembedding for order 0, MLP for order 1, attention for all longer contexts."""

DIGITS = {"place": 2, "orders": 1, "contexts": 4, "shorter": 4, "tokens": 2, "trained": 1}
"""How many digits each number of a pair takes; `place` is its row in the packed arrays."""

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
    tensors: Arrays = {}
    module = np.minimum(np.asarray(state["pairs.orders"], dtype=np.int64), 2)
    kept = [number for number in range(3) if trained[number]]
    # Pairs of a module that is not trained, remembered or only tied to the root, go with the first.
    module = np.where(np.isin(module, kept), module, kept[0])
    for number in kept:
        rows = np.flatnonzero(module == number)
        name = PREFIX + MODULES[number]
        tensors[f"{name}.lora_A.weight"] = _packed(_digits(state, rows).ravel() + 1, rank)
        values = np.asarray(state["pairs.values"], dtype=np.float32)[rows]
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
        "target_modules": [MODULES[number].rpartition(".")[2] for number in kept],
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
    parts, values = [], []
    for module in MODULES:
        name = PREFIX + module
        packed = tensors.get(f"{name}.lora_A.weight", np.zeros((1, 0), dtype=np.float32))
        flat = packed.ravel().astype(np.int64)
        parts.append(flat[flat > 0].reshape(-1, sum(DIGITS.values())) - 1)
        held = tensors.get(f"{name}.lora_B.weight", np.zeros((0, 1), dtype=np.float32))
        values.append(np.ascontiguousarray(held.T).ravel()[: parts[-1].shape[0]])
    found = _numbers(np.concatenate(parts))
    order = np.argsort(found.pop("place"))
    return {
        "format": np.array([FORMAT]),
        "vocabulary_size": np.array([int(config["vocabulary_size"])]),
        "pairs.orders": found["orders"][order].astype(np.int8),
        "pairs.contexts": found["contexts"][order],
        "pairs.shorter": found["shorter"][order],
        "pairs.tokens": found["tokens"][order].astype(np.int32),
        "pairs.trained": found["trained"][order].astype(bool),
        "pairs.values": np.concatenate(values)[order],
    }


def _digits(state: Mapping[str, NDArray[Any]], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """[rows, digits] what names each pair, lowest digits first."""
    columns = []
    for name, count in DIGITS.items():
        numbers = rows if name == "place" else np.asarray(state[f"pairs.{name}"])[rows]
        whole = np.ascontiguousarray(numbers, dtype=np.int64)
        columns += [(whole >> (16 * place)) & 0xFFFF for place in range(count)]
    return np.stack(columns, axis=1)


def _numbers(digits: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """The numbers again, by name."""
    found, column = {}, 0
    for name, count in DIGITS.items():
        number = np.zeros(digits.shape[0], dtype=np.int64)
        for place in range(count):
            number |= digits[:, column + place] << np.int64(16 * place)
        found[name] = number
        column += count
    return found


def _packed(flat: NDArray[Any], rank: int) -> NDArray[np.float32]:
    columns = max(1, -(-flat.size // rank))
    padded = np.zeros(rank * columns, dtype=np.float32)
    padded[: flat.size] = flat
    return padded.reshape(rank, columns)
