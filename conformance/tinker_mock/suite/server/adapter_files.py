"""What an adapter of a base model looks like in PEFT's files."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinker_mock.suite.core.verdict import Unmet, expect, expect_equal

WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
"""Bytes of a number, by safetensors' names."""
PROJECTIONS = {
    "attn": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "mlp": ("gate_proj", "up_proj", "down_proj"),
}


@dataclass(frozen=True)
class Dense:
    """The sizes in the config.json of a dense decoder with grouped attention."""

    layers: int
    hidden: int
    queries: int
    keys: int
    inner: int

    def features(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each projection."""
        return {
            "q_proj": (self.hidden, self.queries), "k_proj": (self.hidden, self.keys),
            "v_proj": (self.hidden, self.keys), "o_proj": (self.queries, self.hidden),
            "gate_proj": (self.hidden, self.inner), "up_proj": (self.hidden, self.inner),
            "down_proj": (self.inner, self.hidden),
        }  # fmt: skip


BASES = {
    "Qwen/Qwen3-8B": Dense(36, 4096, 4096, 1024, 12288),
    "Qwen/Qwen3-4B-Instruct-2507": Dense(36, 2560, 4096, 1024, 9728),
    "Qwen/Qwen3-32B": Dense(64, 5120, 8192, 1024, 25600),
    "meta-llama/Llama-3.2-1B": Dense(16, 2048, 2048, 512, 8192),
    "meta-llama/Llama-3.1-8B": Dense(32, 4096, 4096, 1024, 14336),
}
"""Models whose config.json is widely known."""


def head_of(content: bytes) -> tuple[dict[str, Any], int]:
    """A safetensors header, and where the numbers begin; Unmet for anything else."""
    size = int.from_bytes(content[:8], "little")
    try:
        head = json.loads(content[8 : 8 + size])
    except ValueError as error:
        raise Unmet("safetensors have a header of JSON", "JSON", str(error)) from error
    head.pop("__metadata__", None)
    return head, 8 + size


def judge_layout(head: dict[str, Any], numbers: int | None) -> None:
    """Unmet unless tensors fill the file without gaps; `numbers` are its bytes behind the head."""
    end = 0
    for name, one in sorted(head.items(), key=lambda pair: pair[1]["data_offsets"]):
        begin, until = one["data_offsets"]
        size = WIDTHS.get(one["dtype"], 0) * math.prod(one["shape"])
        expect_equal((begin, until - begin), (end, size), f"{name}: where it is, and its bytes")
        end = until
    if numbers is not None:
        expect_equal(numbers, end, "the file ends with its last tensor")


def pairs_of(head: dict[str, Any]) -> Iterator[tuple[str, list[int], list[int]]]:
    """Each module with the shapes of its two matrices; Unmet for one without the other."""
    modules = {name.rpartition(".lora_")[0] for name in head}
    for module in sorted(modules):
        names = [f"{module}.lora_{side}.weight" for side in "AB"]
        expect(all(name in head for name in names), "both matrices of each module", names, module)
        yield module, head[names[0]]["shape"], head[names[1]]["shape"]


def judge_fit(head: dict[str, Any], base: Dense, rank: int, parts: tuple[str, ...]) -> None:
    """Unmet unless the adapter is on exactly these parts of the base model."""
    found: dict[str, list[tuple[list[int], list[int]]]] = {}
    for module, a, b in pairs_of(head):
        if ".layers." in module:
            found.setdefault(module.rpartition(".")[2], []).append((a, b))
    wanted = {name for part in parts for name in PROJECTIONS[part]}
    expect_equal(set(found), wanted, f"the projections of {parts}")
    for name, (inputs, outputs) in base.features().items():
        if name in wanted:
            shapes = [([rank, inputs], [outputs, rank])] * base.layers
            expect_equal(found[name], shapes, f"{name} of {base.layers} layers")
