"""How far a chat template may go: steps and characters, counted, so that the end is the same on
every machine. Templates come with models from strangers, and prompts are rendered in servers.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

import jinja2
from jinja2 import nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

MAX_STEPS = 5_000_000
"""Turns of loops and calls of functions and filters: some seconds at worst."""
MAX_CHARACTERS = 1 << 25
"""Of one text; and eight times as many of everything that is written."""
MAX_NUMBER = 1_000_000
"""The greatest width, count or size that may be asked of a function."""
WIDTH = re.compile(r"[0-9]{7,}")


class TemplateTooLong(jinja2.TemplateError):
    """A template that goes beyond a bound."""


@dataclass
class Budget:
    """What is left to one rendering."""

    steps: int = MAX_STEPS
    characters: int = 8 * MAX_CHARACTERS

    def step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise TemplateTooLong(f"it takes more than {MAX_STEPS:,} steps")

    def write(self, size: int) -> None:
        self.characters -= size
        if self.characters < 0 or size > MAX_CHARACTERS:
            raise TemplateTooLong(f"it writes more than {MAX_CHARACTERS:,} characters")


# Outside of a rendering (templates fold constants when they are compiled) nothing is counted.
UNCOUNTED = Budget(1 << 62, 1 << 62)
budget: ContextVar[Budget] = ContextVar("budget", default=UNCOUNTED)


def _checked(value: Any) -> Any:
    if isinstance(value, str | list | tuple) and len(value) > MAX_CHARACTERS:
        raise TemplateTooLong(f"it makes a value of {len(value):,} parts")
    return value


def _told(value: Any) -> Any:
    """Every value that is written passes here."""
    if isinstance(value, str):
        budget.get().write(len(value))
    return value


@pass_context
def _counted(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    spent = budget.get()
    for item in items:
        spent.step()
        yield item


@pass_context
def _joined(context: Context, values: list[Any]) -> str:
    texts = list(map(str, values))
    budget.get().write(sum(map(len, texts)))
    return "".join(texts)


class _Counting(NodeTransformer):
    """Puts every loop and every `~` under the budget."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self.generic_visit(node)
        node.iter = _filtered(cast(nodes.Expr, node.iter), "_counted")
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes, lineno=node.lineno), "_joined")


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox, under the budget in `budget`."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(finalize=_told, **options)
        self.filters = {name: _bounded(filter) for name, filter in self.filters.items()}
        self.filters |= {"_counted": _counted, "_joined": _joined}
        self.globals.pop("lipsum", None)

    def _generate(self, source: nodes.Template, *more: Any, **options: Any) -> str:
        counting: nodes.Template = _Counting().visit(source)
        return str(super()._generate(counting, *more, **options))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        budget.get().step()
        if isinstance(owner := getattr(__obj, "__self__", None), str):
            _check_arguments((owner, *args, *kwargs.values()))
        return _checked(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        budget.get().step()
        if operator == "**" and isinstance(right, int) and _bits(left) * abs(right) > 4_096:
            raise TemplateTooLong("it raises numbers to powers that are too high")
        if operator == "*":
            for many, times in ((left, right), (right, left)):
                if isinstance(many, str | list | tuple) and isinstance(times, int):
                    budget.get().write(len(many) * max(times, 0))
            if _bits(left) + _bits(right) > 4_096:
                raise TemplateTooLong("it multiplies numbers that are too large")
        if operator == "%" and isinstance(left, str) and WIDTH.search(left):
            raise TemplateTooLong("it formats to a width that is too large")
        return _checked(super().call_binop(context, operator, left, right))


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 0


def _check_arguments(values: tuple[Any, ...]) -> None:
    if any(isinstance(value, int) and value > MAX_NUMBER for value in values):
        raise TemplateTooLong(f"it asks for more than {MAX_NUMBER:,} of something")
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) > 1 and (len(texts[0]) + 1) * max(map(len, texts[1:])) > 64 * MAX_CHARACTERS:
        raise TemplateTooLong("it replaces by texts that are too long")
    if any(WIDTH.search(text) for text in texts[:1] if "{" in text or "%" in text):
        raise TemplateTooLong("it formats to a width that is too large")


def _bounded(filter: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(filter)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        budget.get().step()
        _check_arguments((*args, *kwargs.values()))
        return _checked(filter(*args, **kwargs))

    return bounded
