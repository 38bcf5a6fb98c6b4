"""An adapter of a base model in PEFT's two files, without its numbers: they are zeros.

Our parameters have no counterpart in the base model's modules, so the product of every pair of
matrices is zero: merged, the adapter leaves the base model as it is. Sizes and names are real.
"""

import json
import math
from collections.abc import Iterable
from typing import Any

from tinker_mock.server.engine.checkpoints.lora_modules import LoraModule, Part

PREFIX = "base_model.model.model."
LORA_ALPHA = 32
FLOAT32 = 4


def trained_modules(modules: Iterable[LoraModule], trained: set[Part]) -> list[LoraModule]:
    """The modules of the parts that are trained."""
    return [module for module in modules if module.part in trained]


def adapter_config(base_model: str, rank: int, modules: list[LoraModule]) -> dict[str, Any]:
    """`adapter_config.json`. A whole adapter is on all linear modules, as the service says it."""
    whole = {"attn", "mlp"} <= {module.part for module in modules}
    names = sorted({module.name.rpartition(".")[2] for module in modules})
    return {
        "base_model_name_or_path": base_model,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "lora_alpha": LORA_ALPHA,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": rank,
        "target_modules": "all-linear" if whole else names,
        "task_type": "CAUSAL_LM",
    }


def safetensors_head(modules: list[LoraModule], rank: int) -> tuple[bytes, int]:
    """The header of `adapter_model.safetensors` in float32, and how many bytes of data follow."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for module in modules:
        for name, shape in zip("AB", module.shapes(rank), strict=True):
            begin, end = end, end + FLOAT32 * math.prod(shape)
            header[f"{PREFIX}{module.name}.lora_{name}.weight"] = {
                "dtype": "F32",
                "shape": list(shape),
                "data_offsets": [begin, end],
            }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, end
