"""Changing code that is loaded: a function gets another body, and its own back.

The text of a module is changed, compiled, and the code of the one function (or method) around the
change is given to every live function that had the old code. Nothing is imported again, so objects
that exist behave otherwise from that moment on.
"""

import ast
import gc
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

PACKAGE = "tinker_mock.server"


class GraftError(ValueError):
    """A change that does not fit the code; the message says where and why."""


@dataclass(frozen=True)
class Edit:
    """In a file of the server (`engine/training/adam.py`), one text replaced by another.

    `find` must be there exactly once, inside a function.
    """

    file: str
    find: str
    put: str

    @property
    def module(self) -> str:
        """The dotted name of the file's module."""
        parts = self.file.removesuffix(".py").split("/")
        return ".".join([PACKAGE, *(part for part in parts if part != "__init__")])

    def source(self) -> tuple[str, str]:
        """The module's text and the changed one; raises GraftError."""
        path = Path(__file__).parents[1] / self.file
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            raise GraftError(f"{self.file}: {error.strerror}") from error
        count = text.count(self.find)
        if count != 1:
            raise GraftError(f"{self.file}: {self.find!r} is there {count} times, not once")
        return text, text.replace(self.find, self.put)

    def replacement(self) -> tuple[str, CodeType]:
        """The qualified name of the function around the change, and its new code."""
        text, changed = self.source()
        begin = text[: text.index(self.find)].count("\n") + 1
        line = begin + len(self.find) - len(self.find.lstrip("\n"))
        name = enclosing(text, line)
        if name is None:
            raise GraftError(f"{self.file}:{line}: the change is in no function")
        try:
            whole = compile(changed, str(Path(__file__).parents[1] / self.file), "exec")
        except SyntaxError as error:
            raise GraftError(f"{self.file}: {self.put!r}: {error.msg}") from error
        found = [code for code in codes_in(whole) if code.co_qualname == name]
        if len(found) != 1:
            raise GraftError(f"{self.file}: {len(found)} functions are called {name}")
        return name, found[0]


def enclosing(text: str, line: int) -> str | None:
    """The qualified name of the outermost function around a line."""

    def search(body: list[ast.stmt], prefix: str) -> str | None:
        for node in body:
            if not node.lineno <= line <= (node.end_lineno or node.lineno):
                continue
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                return prefix + node.name
            if isinstance(node, ast.ClassDef):
                return search(node.body, f"{prefix}{node.name}.")
        return None

    return search(ast.parse(text).body, "")


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """All code below a module's."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes_in(constant)


class Graft:
    """Edits that can be put into the running server and taken out again."""

    def __init__(self, edits: tuple[Edit, ...]) -> None:
        self.edits = edits
        self._own: list[tuple[FunctionType, CodeType]] = []

    def put_in(self) -> None:
        """From now on the functions behave as changed. Raises GraftError, and changes nothing."""
        fresh = []
        for edit in self.edits:
            module = importlib.import_module(edit.module)
            name, code = edit.replacement()
            found = [one for one in live(str(module.__file__), name)]
            if not found:
                raise GraftError(f"{edit.file}: no live function is called {name}")
            fresh += [(function, code) for function in found]
        for function, code in fresh:
            if len(function.__code__.co_freevars) != len(code.co_freevars):
                raise GraftError(f"{code.co_qualname}: the change needs another closure")
        for function, code in fresh:
            self._own.append((function, function.__code__))
            function.__code__ = code

    def take_out(self) -> None:
        """Give every function its own code back."""
        while self._own:
            function, code = self._own.pop()
            function.__code__ = code


def live(file: str, name: str) -> list[FunctionType]:
    """The functions of a file that have that qualified name."""
    return [
        one
        for one in gc.get_objects()
        if type(one) is FunctionType
        and one.__code__.co_qualname == name
        and one.__code__.co_filename == file
    ]
