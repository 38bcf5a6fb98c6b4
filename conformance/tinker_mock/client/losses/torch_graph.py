"""Recording what a loss written with torch does, by torch.fx. Import it only where torch is."""

import builtins
from collections.abc import Callable
from typing import Any

import torch
import torch.fx
from torch.fx.node import _get_qualified_name

from tinker_mock.client.errors import invalid
from tinker_mock.client.losses.recording import encoded
from tinker_mock.client.types.custom_loss import CustomLossNode

_MODULES = ("torch", "math", "operator", "_operator")
_HOST_METHODS = {"item", "numpy", "tolist"}
_CONSTANTS = {
    torch.dtype: "dtype",
    torch.device: "device",
    torch.layout: "layout",
    torch.memory_format: "memory_format",
}


def torch_nodes(name: str, function: Callable[..., Any]) -> tuple[list[CustomLossNode], Any]:
    """The nodes of a loss, and what it returns: nodes where the values are not known yet.

    Raises `ValidationError` for what cannot be traced or sent.
    """
    try:
        graph = torch.fx.symbolic_trace(function)
    except Exception as error:
        raise invalid(
            f"{name} cannot be traced by torch.fx: {error}. A loss cannot branch on tensor values "
            "or call libraries other than torch and math"
        ) from error
    nodes = []
    for node in graph.graph.nodes:
        _check(name, node)
        target = str(node.target)
        if node.op == "call_function":
            target = _get_qualified_name(node.target)
            if target.startswith("_operator."):
                target = target.removeprefix("_")
        args = [_argument(arg) for arg in node.args]
        kwargs = {key: _argument(arg) for key, arg in node.kwargs.items()}
        nodes.append(CustomLossNode(node.op, node.name, target, args, kwargs))
    return nodes, graph.graph.output_node().args[0]


def is_node(value: Any) -> bool:
    """Whether a value is a traced tensor."""
    return isinstance(value, torch.fx.Node)


def _argument(value: Any) -> Any:
    if isinstance(value, torch.fx.Node):
        return {"ref": value.name}
    kind = _CONSTANTS.get(type(value))
    if kind is not None:
        return {kind: str(value).removeprefix("torch.")}
    if isinstance(value, (list, tuple)):
        parts = [_argument(item) for item in value]
        return parts if isinstance(value, list) else {"tuple": parts}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _argument(item) for key, item in value.items()}}
    if isinstance(value, slice):
        return {"slice": [_argument(part) for part in (value.start, value.stop, value.step)]}
    return encoded(value)


def _check(name: str, node: Any) -> None:
    if node.op == "call_function":
        module = getattr(node.target, "__module__", None) or ""
        if node.target is not builtins.getattr and module.split(".")[0] not in _MODULES:
            called = getattr(node.target, "__qualname__", node.target)
            raise invalid(f"{name} calls {called!r}: a loss may only call torch and math")
    elif node.op == "call_method":
        _check_method(name, node.target)
    elif node.op == "call_module":
        raise invalid(f"{name} calls module {node.target!r}: a loss may only call functions")
    elif node.op == "get_attr":
        raise invalid(
            f"{name} captures a tensor ({node.target!r}); it may only read logprobs and the "
            "inputs it names"
        )


def _check_method(name: str, method: str) -> None:
    if not hasattr(torch.Tensor, method):
        raise invalid(f"{name} calls method {method!r}, which is not a torch.Tensor method")
    if method == "backward":
        raise invalid(f"{name} calls backward(): return the loss instead")
    if method in _HOST_METHODS:
        raise invalid(f"{name} calls {method}(), which leaves torch: keep values as tensors")
