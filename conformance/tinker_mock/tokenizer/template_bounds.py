"""A sandbox for chat templates in which neither texts nor loops grow without end.

Jinja's own sandbox keeps templates away from Python's insides. A template of fifteen characters
can still ask for a gigabyte (`{{ '%1000000000d' % 1 }}`) or turn for hours; here it is refused
before the work, as a SecurityError.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST = 1 << 20
"""Widths and counts that a template may ask for, and characters that one operation may make."""
LONGEST_TEXT = 1 << 26
"""Characters of a whole prompt."""
MOST_STEPS = 10_000_000
"""Turns of all loops together."""
MOST_BITS = 1 << 14
"""Of a whole number."""
NUMBER = re.compile(r"\d+")
PADDING = ("ljust", "rjust", "center", "zfill", "expandtabs")

steps: ContextVar[list[int] | None] = ContextVar("steps", default=None)
"""How many turns are left in the rendering under way."""


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Refuses operations whose result would be too large, and loops that turn too often."""

    intercepted_binops = frozenset(("%", "*", "**", "+"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.globals["lipsum"]
        for name, filter_ in list(self.filters.items()):
            self.filters[name] = bounded(name, filter_)
        self.filters |= {COUNTED: _counted, JOINED: _joined}

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,
    ) -> str:
        for loop in list(source.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, COUNTED, [], [], None, None, lineno=loop.lineno)
        counted = _with_joined_texts(source)
        return super()._generate(counted, name, filename, defer_init)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            _check_format(left, right if isinstance(right, tuple) else (right,))
        elif operator == "*":
            _check_product(left, right)
        elif operator == "+" and isinstance(left, str | list) and isinstance(right, str | list):
            _check_size(len(left) + len(right), LONGEST_TEXT)
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            _check_size(left.bit_length() * abs(right), MOST_BITS)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapper = super().wrap_str_format(value)
        if wrapper is None:
            return None

        @wraps(wrapper)
        def checked(*args: Any, **kwargs: Any) -> str:
            _check_format(value.__self__, (*args, *kwargs.values()))
            return wrapper(*args, **kwargs)

        return checked

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            _check_method(owner, obj.__name__, args)
        return super().call(context, obj, *args, **kwargs)


COUNTED, JOINED = "counted_steps", "joined_texts"


def _with_joined_texts(node: Any) -> Any:
    """The tree with every `a ~ b` as a filter that looks at the length first."""
    for field, value in list(node.iter_fields()):
        inner = value if isinstance(value, list) else [value]
        changed = [_with_joined_texts(i) if isinstance(i, nodes.Node) else i for i in inner]
        setattr(node, field, changed if isinstance(value, list) else changed[0])
    if isinstance(node, nodes.Concat):
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, JOINED, [], [], None, None, lineno=node.lineno)
    return node


def _joined(parts: list[Any]) -> str:
    texts = [str(part) for part in parts]
    _check_size(sum(map(len, texts)), LONGEST_TEXT)
    return "".join(texts)


def _counted(items: Iterable[Any]) -> Iterator[Any]:
    left = steps.get()
    for item in items:
        if left is not None:
            left[0] -= 1
            if left[0] < 0:
                raise SecurityError(f"its loops turn more than {MOST_STEPS} times")
        yield item


def bounded(name: str, filter_: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, which takes no number and makes no text beyond the limits."""

    @wraps(filter_)  # keeps what jinja notes on a filter, such as that it wants the environment
    def checked(*args: Any, **kwargs: Any) -> Any:
        given = [arg for arg in args if not isinstance(arg, jinja2.Environment)]
        given = [arg for arg in given if not hasattr(arg, "environment")]
        value, rest = given[0] if given else None, (*given[1:], *kwargs.values())
        for number in rest:
            if isinstance(number, int):
                _check_size(abs(number), LONGEST)
        if name == "format":
            _check_format(str(value), rest)
        elif isinstance(value, str) and name == "replace":
            _check_method(value, name, rest)
        return filter_(*args, **kwargs)

    return checked


def _check_size(size: int, most: int = LONGEST) -> None:
    if size > most:
        raise SecurityError(f"it asks for {size} of something; at most {most}")


def _check_format(form: str, arguments: tuple[Any, ...]) -> None:
    """Widths and precisions are written in the format, or come from the arguments."""
    for number in NUMBER.findall(form):
        _check_size(LONGEST + 1 if len(number) > 9 else int(number))
    if "*" in form or form.count("{") > form.count("}{") + 1:
        for argument in arguments:
            if isinstance(argument, int):
                _check_size(abs(argument))


def _check_product(left: Any, right: Any) -> None:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str | list | tuple) and isinstance(other, int):
            _check_size(len(one) * other)
    if isinstance(left, int) and isinstance(right, int):
        _check_size(left.bit_length() + right.bit_length(), MOST_BITS)


def _check_method(text: str, name: str, arguments: tuple[Any, ...]) -> None:
    if name in PADDING:
        for argument in arguments:
            if isinstance(argument, int):
                _check_size(abs(argument))
    elif (
        name == "replace" and len(arguments) >= 2 and all(isinstance(a, str) for a in arguments[:2])
    ):
        _check_size(len(text) + text.count(arguments[0]) * len(arguments[1]), LONGEST_TEXT)
