"""Recording what a loss does, without running it and without torch.

The loss is called once with `Recorded` values. Operators, methods and the functions of
`array_namespace(x)` give further ones, and each leaves a node named as torch.fx would name it.
"""

import builtins
import keyword
import math
import re
from collections.abc import Callable, Sequence
from types import EllipsisType
from typing import Any, NoReturn

import numpy as np

from tinker_mock.client.errors import invalid
from tinker_mock.client.types.custom_loss import CustomLossNode, NodeOp

_FUNCTIONS = {
    "clip": "clamp", "concat": "cat", "concatenate": "cat", "power": "pow", "absolute": "abs",
    "cumulative_sum": "cumsum", "divide": "div", "multiply": "mul", "subtract": "sub",
}  # fmt: skip
_OPTIONS = {"axis": "dim", "keepdims": "keepdim"}
_NUMBERED = re.compile(r"(.*)_(\d+)")
_ILLEGAL = {*keyword.kwlist, *dir(builtins), "inf", "nan", "NoneType", "torch", "device"}


class Recorder:
    """The nodes so far, and the names they may no longer have."""

    def __init__(self) -> None:
        self.nodes: list[CustomLossNode] = []
        self._used: set[str] = set()

    def placeholder(self, name: str) -> "Recorded":
        """An input of the loss."""
        return self.add("placeholder", name, name)

    def add(
        self, op: NodeOp, target: str, base: str, args: Sequence[Any] = (), **kwargs: Any
    ) -> "Recorded":
        """One more node; its arguments may be what earlier ones gave."""
        options = {_OPTIONS.get(name, name): encoded(value) for name, value in kwargs.items()}
        name = self._name(base)
        self.nodes.append(CustomLossNode(op, name, target, [encoded(a) for a in args], options))
        return Recorded(self, name)

    def _name(self, base: str) -> str:
        """As torch.fx: lower case, numbered where it is taken or a word of Python."""
        name = base.lower()
        counted = _NUMBERED.fullmatch(name)
        stem, number = (counted[1], int(counted[2])) if counted else (name, 0)
        while name in self._used or name in _ILLEGAL:
            number += 1
            name = f"{stem}_{number}"
        self._used.add(name)
        return name


class Recorded:
    """What a node will give. Its value is not known: a loss cannot branch on it."""

    __array_priority__ = 1000.0
    __array_ufunc__ = None  # numpy leaves operators with it to this class

    def __init__(self, recorder: Recorder, name: str) -> None:
        self._recorder = recorder
        self._name = name

    def __getattr__(self, name: str) -> "RecordedAttribute":
        if name.startswith("__"):
            raise AttributeError(name)
        return RecordedAttribute(self, name)

    def __getitem__(self, index: Any) -> "Recorded":
        return self._operator("getitem", self, index)

    def __array_namespace__(self, *, api_version: str | None = None) -> "RecordedFunctions":
        return RecordedFunctions(self._recorder)

    def _operator(self, name: str, *args: Any) -> "Recorded":
        return self._recorder.add("call_function", f"operator.{name}", name, args)

    def _unknown(self, what: str) -> NoReturn:
        raise invalid(f"{what} a value that is not known yet: a loss cannot branch on its inputs")

    def __bool__(self) -> bool:
        self._unknown("the loss asks for the truth of")

    def __float__(self) -> float:
        self._unknown("the loss asks for the number of")

    def __int__(self) -> int:
        self._unknown("the loss asks for the number of")

    def __iter__(self) -> Any:
        self._unknown("the loss loops over")

    def __len__(self) -> int:
        self._unknown("the loss asks for the length of")

    def __array__(self, *_: Any, **__: Any) -> Any:
        self._unknown("the loss hands numpy's own functions (use array_namespace(x))")

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return self._operator("eq", self, other)

    def __ne__(self, other: object) -> Any:
        return self._operator("ne", self, other)


def _forward(name: str) -> Callable[..., Recorded]:
    return lambda self, *other: self._operator(name, self, *other)


def _reflected(name: str) -> Callable[..., Recorded]:
    return lambda self, other: self._operator(name, other, self)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    setattr(Recorded, f"__{_name}__", _forward(_name))
    setattr(Recorded, f"__r{_name}__", _reflected(_name))
for _name in ("and_", "or_", "xor"):
    setattr(Recorded, f"__{_name.strip('_')}__", _forward(_name))
    setattr(Recorded, f"__r{_name.strip('_')}__", _reflected(_name))
for _name in ("lt", "le", "gt", "ge", "neg", "abs", "invert", "pos"):
    setattr(Recorded, f"__{_name}__", _forward(_name))


class RecordedAttribute(Recorded):
    """`x.name`: a method where it is called, else a node of its own."""

    def __init__(self, owner: Recorded, attribute: str) -> None:
        self._owner = owner
        self._attribute = attribute
        self._found: str | None = None

    @property
    def _recorder(self) -> Recorder:  # type: ignore[override]
        return self._owner._recorder

    @property
    def _name(self) -> str:  # type: ignore[override]
        if self._found is None:
            asked = (self._owner, self._attribute)
            self._found = self._recorder.add("call_function", "getattr", "getattr", asked)._name
        return self._found

    def __call__(self, *args: Any, **kwargs: Any) -> Recorded:
        name = self._attribute
        return self._recorder.add("call_method", name, name, (self._owner, *args), **kwargs)


class RecordedFunctions:
    """The namespace of recorded arrays: numpy's names, recorded as torch's."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __getattr__(self, name: str) -> Callable[..., Recorded]:
        if name.startswith("__"):
            raise AttributeError(name)
        known = _FUNCTIONS.get(name, name)

        def function(*args: Any, **kwargs: Any) -> Recorded:
            return self._recorder.add("call_function", f"torch.{known}", known, args, **kwargs)

        return function


def encoded(value: Any) -> Any:
    """An argument as plain data. Raises `ValidationError` for one that cannot be sent."""
    if isinstance(value, Recorded):
        return {"ref": value._name}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list):
        return [encoded(item) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encoded(item) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encoded(item) for key, item in value.items()}}
    if isinstance(value, slice):
        return {"slice": [encoded(part) for part in (value.start, value.stop, value.step)]}
    if isinstance(value, EllipsisType):
        return {"ellipsis": True}
    if hasattr(value, "shape"):
        raise invalid(
            "the loss captures an array; it may only read logprobs and the inputs it names"
        )
    raise invalid(f"the loss passes a {type(value).__name__}, which cannot be sent to the server")
