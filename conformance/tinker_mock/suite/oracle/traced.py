"""Losses written once, and read twice: as the graph that a client traces, and by numpy.

Names and meanings are torch's. `Tracing` makes the nodes of SDK `types/custom_loss_graph.py`;
`Plain` computes the same in float64.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Written = Callable[[Any, Any], Any]
"""A loss: of `Tracing` or `Plain`, and of the log-probabilities."""
FUNCTIONAL = (
    "leaky_relu", "silu", "softplus", "logsigmoid", "mse_loss", "l1_loss", "huber_loss",
    "smooth_l1_loss", "binary_cross_entropy_with_logits",
)  # fmt: skip
METHODS = ("reshape", "expand", "permute", "view", "long", "new_zeros", "detach", "type_as")
STEP = 1e-5


class Node:
    """A value of a graph that is being traced."""

    def __init__(self, tracing: "Tracing", name: str) -> None:
        self.tracing = tracing
        self.name = name

    def __getitem__(self, key: Any) -> "Node":
        return self.tracing.node("call_function", "operator.getitem", [self, key], {})

    @property
    def values(self) -> "Node":
        """Of max and min along an axis."""
        return self.tracing.node("call_function", "getattr", [self, "values"], {})

    @property
    def indices(self) -> "Node":
        """Of max and min along an axis."""
        return self[1]


def traced_operator(name: str, swapped: bool = False) -> Callable[[Node, Any], Node]:
    """A method that adds an operator of Python's to the graph."""

    def add(self: Node, other: Any) -> Node:
        pair = [other, self] if swapped else [self, other]
        return self.tracing.node("call_function", f"operator.{name}", pair, {})

    return add


for python, target in {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "truediv", "pow": "pow", "mod": "mod",
    "floordiv": "floordiv", "gt": "gt", "ge": "ge", "lt": "lt", "le": "le", "eq": "eq", "ne": "ne",
    "matmul": "matmul", "and": "and_", "or": "or_", "xor": "xor",
}.items():  # fmt: skip
    setattr(Node, f"__{python}__", traced_operator(target))
    if python in ("add", "sub", "mul", "truediv", "pow"):
        setattr(Node, f"__r{python}__", traced_operator(target, swapped=True))


class Tracing:
    """Collects nodes; every other attribute is an operation of torch's of that name."""

    def __init__(self, *inputs: str) -> None:
        self.nodes: list[dict[str, Any]] = [
            {"op": "placeholder", "name": name, "target": name} for name in inputs
        ]
        self.given: list[Any] = [Node(self, name) for name in inputs]

    def node(
        self, op: str, target: str, arguments: Sequence[Any], options: Mapping[str, Any]
    ) -> Node:
        """One more node."""
        name = f"n{len(self.nodes)}"
        row: dict[str, Any] = {
            "op": op,
            "name": name,
            "target": target,
            "args": [*map(encoded, arguments)],
        }
        if options:
            row["kwargs"] = {key: encoded(value) for key, value in options.items()}
        self.nodes.append(row)
        return Node(self, name)

    def __getattr__(self, name: str) -> Callable[..., Node]:
        def add(*arguments: Any, **options: Any) -> Node:
            if name in METHODS:
                return self.node("call_method", name, arguments, options)
            home = "torch.nn.functional" if name in FUNCTIONAL else "torch"
            return self.node("call_function", f"{home}.{name}", arguments, options)

        return add

    def graph(self, loss: Node, metrics: Mapping[str, Node] | None = None) -> dict[str, Any]:
        """The finished graph."""
        told = {"dict": {name: encoded(value) for name, value in (metrics or {}).items()}}
        pair = {"tuple": [encoded(loss), told]}
        output = {"op": "output", "name": "output", "target": "output", "args": [pair]}
        return {"format": 1, "nodes": [*self.nodes, output]}


def encoded(value: Any) -> Any:
    """An argument as the SDK's CustomLossNode encodes it."""
    if isinstance(value, Node):
        return {"ref": value.name}
    if isinstance(value, slice):
        return {"slice": [encoded(part) for part in (value.start, value.stop, value.step)]}
    if isinstance(value, tuple):
        return {"tuple": [encoded(part) for part in value]}
    if isinstance(value, list):
        return [encoded(part) for part in value]
    return {"ellipsis": True} if value is ... else value


def softplus(x: Floats) -> Floats:
    return np.asarray(np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0.0))


def logsumexp(x: Floats, dim: int, keepdim: bool = False) -> Floats:
    top = x.max(axis=dim, keepdims=True)
    total = np.log(np.exp(x - top).sum(axis=dim, keepdims=True)) + top
    return np.asarray(total if keepdim else total.squeeze(dim))


def extreme(pick: Callable[..., Any], find: Callable[..., Any]) -> Callable[..., Any]:
    """torch's max and min: of everything, or values and indices along an axis."""

    def apply(x: Floats, dim: int | None = None) -> Any:
        return pick(x) if dim is None else Pair(pick(x, axis=dim), find(x, axis=dim))

    return apply


class Pair:
    """Values and indices."""

    def __init__(self, values: Any, indices: Any) -> None:
        self.values, self.indices = values, indices


def along(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reduction of numpy's with torch's names."""

    def apply(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return function(x, axis=dim, keepdims=keepdim)

    return apply


def divided(x: Floats, y: Floats, rounding_mode: str | None = None) -> Floats:
    rounded: dict[str | None, Callable[..., Any]] = {"floor": np.floor, "trunc": np.trunc}
    return np.asarray(rounded.get(rounding_mode, np.asarray)(x / y))


def reduced(each: Callable[..., Any]) -> Callable[..., Any]:
    """A loss of pairs with torch's `reduction`."""

    def apply(x: Any, y: Any, reduction: str = "mean", **settings: float) -> Any:
        found = each(x, y, **settings)
        ways: dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum, "none": np.asarray}
        return ways[reduction](found)

    return apply


def huber(x: Floats, y: Floats, delta: float = 1.0) -> Floats:
    gap = np.abs(x - y)
    return np.where(gap <= delta, 0.5 * gap**2, delta * (gap - 0.5 * delta))


PLAIN: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in (
        "exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "reciprocal", "square",
        "abs", "sin", "cos", "tanh", "sign", "floor", "ceil", "round", "trunc", "maximum",
        "minimum", "where", "logical_and", "logical_or", "logical_xor", "logical_not", "isfinite",
        "count_nonzero", "ones_like", "zeros_like", "arange", "zeros", "ones", "diff", "flip",
        "isnan", "matmul",
    )},
    "neg": np.negative, "rsqrt": lambda x: x**-0.5, "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "logsigmoid": lambda x: -softplus(-x), "relu": lambda x: np.maximum(x, 0.0),
    "silu": lambda x: x / (1 + np.exp(-x)), "softplus": softplus,
    "fmod": np.fmod,
    "leaky_relu": lambda x, negative_slope=0.01: np.where(x > 0, x, negative_slope * x),
    "add": lambda x, y, alpha=1.0: x + alpha * y, "sub": lambda x, y, alpha=1.0: x - alpha * y,
    "rsub": lambda x, y: y - x, "pow": np.power,
    "div": divided,
    "clamp": lambda x, min=-np.inf, max=np.inf: np.clip(x, min, max),
    "masked_fill": lambda x, mask, value: np.where(mask, value, x),
    "nan_to_num": lambda x, nan=0.0: np.where(np.isnan(x), nan, x),
    "sum": along(np.sum), "mean": along(np.mean), "prod": along(np.prod), "amax": along(np.amax),
    "amin": along(np.amin), "any": along(np.any), "all": along(np.all),
    "argmax": along(np.argmax), "argmin": along(np.argmin),
    "logsumexp": logsumexp,
    "softmax": lambda x, dim: np.exp(x - logsumexp(x, dim, True)),
    "log_softmax": lambda x, dim: x - logsumexp(x, dim, True),
    "var": lambda x, dim=None, unbiased=True: np.var(x, axis=dim, ddof=int(unbiased)),
    "std": lambda x, dim=None, unbiased=True: np.std(x, axis=dim, ddof=int(unbiased)),
    "norm": lambda x, p=2, dim=None: np.power((np.abs(x) ** p).sum(axis=dim), 1 / p),
    "cumsum": lambda x, dim: np.cumsum(x, axis=dim),
    "max": extreme(np.max, np.argmax), "min": extreme(np.min, np.argmin),
    "mse_loss": reduced(lambda x, y: (x - y) ** 2), "l1_loss": reduced(lambda x, y: np.abs(x - y)),
    "huber_loss": reduced(huber),
    "smooth_l1_loss": reduced(lambda x, y, beta=1.0: huber(x, y, beta) / beta),
    "binary_cross_entropy_with_logits": reduced(lambda x, y: softplus(x) - x * y),
    "reshape": np.reshape, "flatten": lambda x, start_dim=0, end_dim=-1: flattened(
        x, start_dim, end_dim),
    "unsqueeze": np.expand_dims, "squeeze": lambda x, dim=None: np.squeeze(x, dim),
    "transpose": np.swapaxes, "permute": lambda x, order: np.transpose(x, order),
    "expand": lambda x, shape: np.broadcast_to(
        x, [old if new == -1 else new for old, new in zip((0,) * (len(shape) - x.ndim) + x.shape,
                                                          shape, strict=True)]),
    "stack": lambda parts, dim=0: np.stack(parts, dim),
    "cat": lambda parts, dim=0: np.concatenate(parts, dim),
    "gather": lambda x, dim, index: np.take_along_axis(
        x[tuple(slice(None) if i == dim else slice(n) for i, n in enumerate(index.shape))],
        index, dim),
    "index_select": lambda x, dim, index: np.take(x, index, dim),
    "masked_select": lambda x, mask: x[mask], "select": lambda x, dim, at: np.take(x, at, dim),
    "narrow": lambda x, dim, start, size: np.take(x, range(start, start + size), dim),
    "long": lambda x: x.astype(np.int64), "full_like": lambda x, value: np.full(x.shape, value),
}  # fmt: skip


def flattened(x: Floats, start: int, end: int) -> Floats:
    if not x.ndim:
        return x.reshape(1)
    start, end = operator.index(start) % x.ndim, end % x.ndim
    return x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])


class Plain:
    """Every operation of PLAIN as an attribute. `kept` are the values that `detach` held fast."""

    def __init__(self, kept: Sequence[Any] = ()) -> None:
        self.held: list[Any] = []
        self._kept = iter(kept)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return PLAIN[name]

    def detach(self, x: Any) -> Any:
        """A value whose derivative is 0."""
        self.held.append(x)
        return next(self._kept, x)


def value_of(written: Written, logprobs: Floats, plain: Plain | None = None) -> float:
    """What the loss is."""
    with np.errstate(all="ignore"):
        return float(written(plain or Plain(), logprobs))


def slopes_of(written: Written, logprobs: Floats) -> Floats:
    """Its derivative by each log-probability, by central differences."""
    origin = Plain()
    value_of(written, logprobs, origin)
    found = np.empty(logprobs.size)
    for place in range(logprobs.size):
        ends = []
        for step in (STEP, -STEP):
            moved = logprobs.copy()
            moved[place] += step
            ends.append(value_of(written, moved, Plain(origin.held)))
        found[place] = (ends[0] - ends[1]) / (2 * STEP)
    return found
