"""A traced loss as plain data, node for node as torch.fx records it.

Source: `types/custom_loss_graph.py` of SDK 0.38.0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

NodeOp = Literal["placeholder", "get_attr", "call_function", "call_method", "call_module", "output"]
InputRank = Literal[0, 1, 2]
"""0 is a number, 1 is [T], 2 is [T, K]."""


@dataclass(frozen=True, slots=True)
class CustomLossInput:
    """`logprobs`, or the key of `loss_fn_inputs` that the loss reads."""

    name: str
    rank: InputRank


@dataclass(frozen=True, slots=True)
class CustomLossNode:
    """One step. Arguments are JSON scalars, lists, or one-key objects: `{"ref": name}` …"""

    op: NodeOp
    name: str
    target: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CustomLossGraph:
    """Steps in the order they run; nothing in it is code."""

    nodes: Sequence[CustomLossNode]
    format: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class CreateCustomLossResponse:
    """The server's name for an uploaded loss."""

    loss_id: str
    type: str = "create_custom_loss"
