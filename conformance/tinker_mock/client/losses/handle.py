"""`LossHandle`: a loss traced once, which runs here or on the server."""

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.client.errors import invalid
from tinker_mock.client.losses.custom import Backend
from tinker_mock.client.losses.recording import Recorded, Recorder, encoded
from tinker_mock.client.types.custom_loss import (
    CustomLossGraph,
    CustomLossInput,
    CustomLossNode,
    InputRank,
)
from tinker_mock.client.types.datum import Datum

PerDatumLossFn = Callable[..., tuple[Any, Mapping[str, Any]]]
"""`loss(logprobs, *inputs) -> (loss, metrics)` of one datum, its inputs by their names."""

_METRIC = re.compile(r"custom/[a-z0-9_./-]{1,64}:(sum|mean)")
_INPUT = re.compile(r"[a-z_][a-z0-9_]{0,63}")
_MOST_INPUTS = 16
_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class LossHandle:
    """What `create_custom_loss` gives; pass it to `forward_backward_custom` in place of a loss.

    Only clients of the session that made it may use it. `loss_id` is the server's name for it,
    `None` where it runs on this side.
    """

    name: str
    inputs: tuple[CustomLossInput, ...]
    session_id: str
    graph: CustomLossGraph = field(repr=False, compare=False)
    function: PerDatumLossFn = field(repr=False, compare=False)
    backend: Backend = "numpy"
    loss_id: str | None = None

    @property
    def key(self) -> str:
        """Tells traced losses apart, so that a session makes each but once."""
        return hashlib.sha256(repr((self.graph, self.inputs)).encode()).hexdigest()

    @property
    def input_names(self) -> tuple[str, ...]:
        """The keys of `loss_fn_inputs` that it reads, in the order it takes them."""
        return tuple(one.name for one in self.inputs[1:])

    def check(self, data: Sequence[Datum]) -> None:
        """Raise `ValidationError` unless every datum has each input, at its declared rank."""
        wanted = [("target_tokens", self.inputs[0]), *((one.name, one) for one in self.inputs[1:])]
        for index, datum in enumerate(data):
            for key, declared in wanted:
                tensor = datum.loss_fn_inputs.get(key)
                if tensor is None:
                    raise invalid(
                        f"datum[{index}] has no loss_fn_inputs[{key!r}], which loss "
                        f"{self.name!r} takes"
                    )
                rank = 1 if tensor.shape is None else len(tensor.shape)
                if rank != declared.rank:
                    raise invalid(
                        f"datum[{index}] loss_fn_inputs[{key!r}] has rank {rank}, but loss "
                        f"{self.name!r} declared {declared.name} with rank {declared.rank}"
                    )

    def over(self, data: Sequence[Datum], logprobs: Sequence[Any]) -> tuple[Any, dict[str, float]]:
        """The sum of its losses over the data; metrics add up, or average, by their suffix."""
        total: Any = 0.0
        sums: dict[str, float] = {}
        for datum, row in zip(data, logprobs, strict=True):
            tensors = [datum.loss_fn_inputs[name] for name in self.input_names]
            given = [t.to_torch() if self.backend == "torch" else t.to_numpy() for t in tensors]
            loss, metrics = self.function(row, *given)
            if getattr(loss, "shape", ()):
                raise invalid(f"loss {self.name!r} must return a scalar, got {tuple(loss.shape)}")
            total = loss + total
            for key, value in metrics.items():
                sums[key] = sums.get(key, 0.0) + _number(value)
        means = {key: value / len(data) for key, value in sums.items() if key.endswith(":mean")}
        return total, sums | means


def traced(
    function: PerDatumLossFn,
    input_ranks: Mapping[str, InputRank],
    session_id: str,
    backend: Backend = "numpy",
) -> LossHandle:
    """Trace a loss. Raises `ValidationError` for one that no server could run."""
    name = getattr(function, "__name__", type(function).__name__)
    inputs = _inputs(name, function, input_ranks)
    if backend == "torch":
        nodes = _by_torch(name, function)
    else:
        nodes = _by_recording(name, function, [one.name for one in inputs])
    return LossHandle(name, inputs, session_id, CustomLossGraph(nodes), function, backend)


def _by_recording(
    name: str, function: PerDatumLossFn, inputs: Sequence[str]
) -> list[CustomLossNode]:
    recorder = Recorder()
    output = function(*[recorder.placeholder(one) for one in inputs])
    _check_output(name, output, lambda value: isinstance(value, Recorded))
    recorder.nodes.append(CustomLossNode("output", "output", "output", [encoded(output)]))
    return recorder.nodes


def _by_torch(name: str, function: PerDatumLossFn) -> list[CustomLossNode]:
    try:
        from tinker_mock.client.losses.torch_graph import is_node, torch_nodes
    except ModuleNotFoundError:
        raise invalid("backend 'torch' needs the package torch, which is not installed") from None
    nodes, output = torch_nodes(name, function)
    _check_output(name, output, is_node)
    return nodes


def _inputs(
    name: str, function: PerDatumLossFn, ranks: Mapping[str, InputRank]
) -> tuple[CustomLossInput, ...]:
    if not callable(function):
        raise invalid(f"a custom loss is a function of (logprobs, …), got {function!r}")
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].name != "logprobs":
        raise invalid(f"{name} must take logprobs first, then the loss_fn_inputs it reads")
    if len(parameters) > _MOST_INPUTS:
        raise invalid(f"{name} takes {len(parameters)} parameters; at most {_MOST_INPUTS} go")
    for parameter in parameters:
        if not _INPUT.fullmatch(parameter.name):
            raise invalid(f"{name}: parameter {parameter.name!r} must be a lower-case name")
        if parameter.kind not in _PLAIN or parameter.default is not parameter.empty:
            raise invalid(
                f"{name}: parameter {parameter.name!r} must be a plain one without a default; it "
                "names a required key of loss_fn_inputs"
            )
    names = [parameter.name for parameter in parameters]
    if set(ranks) != set(names):
        raise invalid(
            f"input_ranks must give a rank for each parameter of {name} ({', '.join(names)}), "
            f"got {sorted(ranks)}"
        )
    if any(rank not in (0, 1, 2) for rank in ranks.values()) or ranks["logprobs"] == 0:
        raise invalid("a rank is 0, 1 or 2; that of logprobs is 1 ([T]) or 2 ([T, K])")
    return tuple(CustomLossInput(one, ranks[one]) for one in names)


def _check_output(name: str, output: Any, is_value: Callable[[Any], bool]) -> None:
    if not isinstance(output, (tuple, list)) or len(output) != 2:
        raise invalid(f"{name} must return (loss, metrics)")
    loss, metrics = output
    if not is_value(loss):
        raise invalid(f"{name} must compute its loss from its inputs, got {loss!r}")
    if not isinstance(metrics, dict):
        raise invalid(f"{name} must return its metrics as a dict")
    for key, value in metrics.items():
        if not (isinstance(key, str) and _METRIC.fullmatch(key)):
            raise invalid(
                f"{name}: metric {key!r} must be named custom/<name>:sum or custom/<name>:mean; "
                "the suffix says how it combines across data"
            )
        if not is_value(value):
            raise invalid(f"{name}: metric {key!r} must be computed from the inputs, got {value!r}")


def _number(value: Any) -> float:
    return float(value.detach() if hasattr(value, "detach") else value)
