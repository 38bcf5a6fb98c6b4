"""The traced graph of SDK `types/custom_loss_graph.py`, checked, rebuilt and run.

Nothing in a graph is evaluated: node targets are looked up in the allow-list below, arguments are
decoded from plain data, and anything else is refused with the operation's name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinker_mock.server.budget import checkpoint, scratch
from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.keys import Floats
from tinker_mock.server.engine.training.custom_loss.elementwise import ELEMENTWISE, Operation
from tinker_mock.server.engine.training.custom_loss.reductions import REDUCTIONS
from tinker_mock.server.engine.training.custom_loss.shaping import SHAPING
from tinker_mock.server.engine.training.custom_loss.values import Leaf, Value, gradient_of
from tinker_mock.server.engine.training.loss_function import InputRule, Inputs, LossTerm, Settings

OPERATIONS: dict[str, Operation] = {**ELEMENTWISE, **REDUCTIONS, **SHAPING}

ALIASES = {
    "truediv": "div", "true_divide": "div", "divide": "div", "multiply": "mul",
    "subtract": "sub", "negative": "neg", "negate": "neg", "absolute": "abs", "clip": "clamp",
    "logsigmoid": "log_sigmoid", "expit": "sigmoid", "floor_divide": "floordiv",
    "remainder": "mod", "not_": "logical_not", "bitwise_not": "invert",
    "bitwise_and": "and_", "bitwise_or": "or_", "greater": "gt", "greater_equal": "ge",
    "less": "lt", "less_equal": "le", "not_equal": "ne", "vector_norm": "norm",
}  # fmt: skip

QUALIFIERS = (
    "torch.nn.functional.", "torch._C._nn.", "torch._C._special.special_",
    "torch._C._linalg.linalg_", "torch.functional.", "torch.special.", "torch.linalg.",
    "torch.Tensor.", "torch.", "operator.", "math.",
)  # fmt: skip

METRIC = re.compile(r"custom/[a-z0-9_./-]{1,64}:(sum|mean)")
MOST_NODES = 4096
MOST_DEPTH = 32

MISTAKES = (
    ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError, AssertionError,
    MemoryError,
)  # fmt: skip


def operation_named(op: str, target: str) -> Operation:
    """The allowed operation of a call node; refuses every other by name."""
    name = target
    if op == "call_function" and target != "getattr":
        qualifier = next((q for q in QUALIFIERS if target.startswith(q)), None)
        name = target.removeprefix(qualifier) if qualifier else "?"
    name = ALIASES.get(name, name)
    found = OPERATIONS.get(name)
    if found is None or (op == "call_method" and name in ("getattr", "getitem")):
        raise EngineError(
            "graph.nodes",
            f"operation {target!r} is not on the list of allowed operations",
            "Write the loss with elementwise arithmetic, reductions, indexing and torch.where",
        )
    return found


@dataclass(frozen=True)
class CustomLoss:
    """A rebuilt loss over one datum; satisfies `LossFunction`."""

    name: str
    nodes: tuple[Mapping[str, Any], ...]
    inputs: tuple[str, ...]
    rules: tuple[InputRule, ...]
    rank: int
    settings: Mapping[str, float] = field(default_factory=dict)

    @property
    def matrix_targets(self) -> bool:
        return self.rank == 2

    def term(self, logprobs: Floats, inputs: Inputs, settings: Settings) -> LossTerm:
        """Run the graph and differentiate its loss by `logprobs`."""
        leaf = Leaf(logprobs)
        given = {"logprobs": leaf, **{name: Value(inputs[name]) for name in self.inputs}}
        with np.errstate(all="ignore"), scratch():
            loss, metrics = self._run({}, given)
            if not isinstance(loss, Value) or loss.array.ndim or loss.array.dtype.kind not in "iuf":
                found = list(loss.shape) if isinstance(loss, Value) else type(loss).__name__
                raise EngineError(
                    "graph", f"{self.name} returned {found}", "Return a scalar tensor as the loss"
                )
            slopes = self._slopes(loss, leaf)
        shown = {key: self._number(key, value) for key, value in metrics.items()}
        return LossTerm(float(loss.array), slopes, shown)

    def _slopes(self, loss: Value, leaf: Leaf) -> Floats:
        try:
            return np.asarray(gradient_of(loss, leaf), dtype=np.float64)
        except MISTAKES as problem:
            raise EngineError(
                "graph", f"{self.name} has no gradient: {problem}", "Check its shapes and indices"
            ) from None

    def _number(self, key: str, value: Any) -> float:
        array = value.array if isinstance(value, Value) else np.asarray(None)
        if array.size != 1 or array.dtype.kind not in "biuf":
            raise EngineError(
                "graph", f"{self.name} gave no number for {key}", "Return scalar metrics"
            )
        return float(array.reshape(()))

    def _run(self, environment: dict[str, Any], given: Mapping[str, Value]) -> tuple[Any, Any]:
        for node in self.nodes:
            checkpoint()
            arguments = [decode(a, environment) for a in node.get("args", ())]
            if node["op"] == "placeholder":
                environment[node["name"]] = given[node["target"]]
                continue
            if node["op"] == "output":
                loss, metrics = arguments[0]
                return loss, metrics
            options = {k: decode(v, environment) for k, v in node.get("kwargs", {}).items()}
            operation = operation_named(node["op"], node["target"])
            try:
                with np.errstate(all="ignore"):
                    environment[node["name"]] = operation(*arguments, **options)
            except MISTAKES as problem:
                raise EngineError(
                    f"graph.nodes.{node['name']}",
                    f"{node['target']} failed: {problem}",
                    "Check the shapes of the loss's inputs",
                ) from None
        raise EngineError("graph.nodes", "has no output node", "Trace the loss again")


def decode(argument: Any, environment: Mapping[str, Any]) -> Any:
    """One encoded argument; see the SDK's CustomLossNode for the encoding."""
    if isinstance(argument, list):
        return [decode(a, environment) for a in argument]
    if not isinstance(argument, dict):
        return argument
    kind, content = next(iter(argument.items())) if len(argument) == 1 else ("", None)
    if kind == "ref" and isinstance(content, str) and content in environment:
        return environment[content]
    if kind == "tuple" and isinstance(content, list):
        return tuple(decode(a, environment) for a in content)
    if kind == "dict" and isinstance(content, dict):
        return {key: decode(value, environment) for key, value in content.items()}
    if kind == "slice" and isinstance(content, list) and len(content) == 3:
        return slice(*(decode(part, environment) for part in content))
    if kind == "ellipsis":
        return Ellipsis
    if kind == "float" and content in ("inf", "-inf", "nan"):
        return float(content)
    if kind in ("dtype", "device", "layout", "memory_format") and isinstance(content, str):
        return content
    raise EngineError("graph.nodes", f"unknown argument {argument!r}", "Trace the loss again")


def compile_loss(request: Mapping[str, Any]) -> CustomLoss:
    """Check a create_custom_loss request and rebuild its loss.

    Raises EngineError for an operation outside the list, a reference to a later or unknown node,
    or inputs that do not match the graph's parameters.
    """
    inputs = list(request["inputs"])
    graph = request["graph"]
    if graph.get("format", 1) != 1:
        raise EngineError("graph.format", f"must be 1, got {graph['format']!r}", "Use format 1")
    nodes = tuple(graph["nodes"])
    if len(nodes) > MOST_NODES:
        raise EngineError("graph.nodes", f"at most {MOST_NODES}, got {len(nodes)}", "Simplify it")
    names = [str(item["name"]) for item in inputs]
    if not names or names[0] != "logprobs" or inputs[0]["rank"] not in (1, 2):
        raise EngineError(
            "inputs", "must start with logprobs of rank 1 or 2", "Make logprobs the first parameter"
        )
    _check_nodes(nodes, names)
    rules = tuple(InputRule(str(item["name"]), rank=int(item["rank"])) for item in inputs[1:])
    return CustomLoss(
        name=str(request.get("name", "custom")),
        nodes=nodes,
        inputs=tuple(names[1:]),
        rules=rules,
        rank=int(inputs[0]["rank"]),
    )


def _check_nodes(nodes: tuple[Mapping[str, Any], ...], names: list[str]) -> None:
    known: set[str] = set()
    parameters = []
    for node in nodes:
        op, name = node["op"], node["name"]
        if name in known:
            raise EngineError("graph.nodes", f"two nodes are called {name!r}", "Rename one")
        for reference in _references([node.get("args", []), node.get("kwargs", {})], 0):
            if reference not in known:
                raise EngineError(
                    f"graph.nodes.{name}",
                    f"refers to {reference!r}, which no earlier node has",
                    "List nodes in execution order",
                )
        if op == "placeholder":
            parameters.append(node["target"])
        elif op in ("call_function", "call_method"):
            operation_named(op, node["target"])
        elif op != "output":
            raise EngineError(
                "graph.nodes", f"{op} ({node['target']!r}) is not allowed", "Use functions only"
            )
        known.add(name)
    if parameters != names:
        raise EngineError(
            "inputs", f"are {names} but the graph takes {parameters}", "Declare them in order"
        )
    if not nodes or nodes[-1]["op"] != "output":
        raise EngineError("graph.nodes", "the last node must be the output", "Trace it again")
    _check_output(nodes[-1])


def _references(argument: Any, depth: int) -> list[str]:
    if depth > MOST_DEPTH:
        raise EngineError("graph.nodes", f"arguments nest deeper than {MOST_DEPTH}", "Flatten them")
    if isinstance(argument, list):
        return [r for a in argument for r in _references(a, depth + 1)]
    if isinstance(argument, dict):
        if set(argument) == {"ref"}:
            return [str(argument["ref"])]
        return [r for a in argument.values() for r in _references(a, depth + 1)]
    return []


def _check_output(node: Mapping[str, Any]) -> None:
    arguments = node.get("args") or [None]
    pair = arguments[0].get("tuple") if isinstance(arguments[0], dict) else arguments[0]
    if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], dict):
        raise EngineError("graph.nodes", "the output must be (loss, metrics)", "Return both")
    metrics = pair[1].get("dict", {})
    if set(pair[1]) != {"dict"} or not isinstance(metrics, dict):
        raise EngineError("graph.nodes", "the metrics must be a dict", "Return (loss, {})")
    for key in metrics:
        if not METRIC.fullmatch(key):
            raise EngineError(
                "graph.nodes",
                f"metric {key!r} is not named custom/<name>:sum or custom/<name>:mean",
                "Rename it",
            )
