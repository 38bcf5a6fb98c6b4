"""Changing code that is loaded: a function gets another body, and its own back.

The text of a module is changed, compiled, and the code of the one function (or method) around the
change is given to every live function that had the old code. Nothing is imported again, so objects
that exist behave otherwise from that moment on.
"""

import ast
import gc
import importlib
import inspect
from collections.abc import Iterator, Sequence
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

    def applied(self, text: str) -> tuple[str, str]:
        """A text with the change, and the qualified name of the function around it; GraftError."""
        count = text.count(self.find)
        if count != 1:
            raise GraftError(f"{self.file}: {self.find!r} is there {count} times, not once")
        lead = len(self.find) - len(self.find.lstrip("\n"))
        line = text[: text.index(self.find)].count("\n") + 1 + lead
        name = enclosing(text, line)
        if name is None:
            raise GraftError(f"{self.file}:{line}: the change is in no function")
        return text.replace(self.find, self.put), name


def replacements(edits: Sequence[Edit]) -> dict[tuple[str, str], CodeType]:
    """(Module, qualified name) of every function that the edits change, and its new code."""
    found = {}
    for file in dict.fromkeys(edit.file for edit in edits):
        path = Path(__file__).parents[1] / file
        names = []
        try:
            text = path.read_text("utf-8")
            for edit in edits:
                if edit.file == file:
                    text, name = edit.applied(text)
                    names.append(name)
            whole = compile(text, str(path), "exec")
        except OSError as error:
            raise GraftError(f"{file}: {error.strerror}") from error
        except SyntaxError as error:
            raise GraftError(f"{file}: {error.msg}: {error.text}") from error
        for name in names:
            codes = [code for code in codes_in(whole) if code.co_qualname == name]
            if len(codes) != 1:
                raise GraftError(f"{file}: {len(codes)} functions are called {name}")
            found[module_of(file), name] = codes[0]
    return found


def module_of(file: str) -> str:
    """The dotted name of a file's module."""
    parts = [PACKAGE, *file.removesuffix(".py").split("/")]
    return ".".join(part for part in parts if part != "__init__")


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

    def codes(self) -> dict[tuple[str, str], CodeType]:
        """(Module, qualified name) of the functions to change, and their new code."""
        return replacements(self.edits)

    def put_in(self) -> None:
        """From now on the functions behave as changed. Raises GraftError, and changes nothing."""
        fresh = []
        for (module, name), code in self.codes().items():
            found = live(str(importlib.import_module(module).__file__), name)
            if not found:
                raise GraftError(f"{module}: no live function is called {name}")
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


class Rewritten(Graft):
    """A whole file's other text: every function of it that is not the same."""

    def __init__(self, file: str, text: str) -> None:
        super().__init__(())
        self.file, self.text = file, text

    def both(self) -> tuple[dict[str, CodeType], dict[str, CodeType]]:
        """The functions of the file as it is, and of the other text."""
        path = Path(__file__).parents[1] / self.file
        try:
            own, other = (
                functions_of(compile(text, str(path), "exec"))
                for text in (path.read_text("utf-8"), self.text)
            )
        except SyntaxError as error:
            raise GraftError(f"{self.file}: {error.msg}") from error
        return own, other

    def put_in(self) -> None:
        """As a graft; functions that were made by the changed ones before are changed too."""
        super().put_in()
        module = importlib.import_module(module_of(self.file))
        own, other = self.both()
        for name in {name for _, name in self.codes()}:
            for old, new in zip(codes_in(own[name]), codes_in(other[name]), strict=False):
                made = live(str(module.__file__), old.co_qualname, old.co_firstlineno)
                for function in () if alike(old, new) else made:
                    if len(function.__code__.co_freevars) == len(new.co_freevars):
                        self._own.append((function, function.__code__))
                        function.__code__ = new

    def codes(self) -> dict[tuple[str, str], CodeType]:
        """The functions that differ; raises GraftError when none does."""
        own, other = self.both()
        changed = [name for name in own if name in other and not alike(own[name], other[name])]
        if not changed:
            raise GraftError(f"{self.file}: no function is changed")
        return {(module_of(self.file), name): other[name] for name in changed}


def functions_of(code: CodeType) -> dict[str, CodeType]:
    """The outermost functions and methods below a module's code, by qualified name."""
    return {
        one.co_qualname: one
        for one in codes_in(code)
        if one.co_flags & inspect.CO_OPTIMIZED and "<" not in one.co_qualname
    }


def alike(one: CodeType, two: CodeType) -> bool:
    """Whether two codes do the same, wherever they stand."""
    if (one.co_code, one.co_names, one.co_varnames) != (two.co_code, two.co_names, two.co_varnames):
        return False
    pairs = list(zip(one.co_consts, two.co_consts, strict=False))
    return len(one.co_consts) == len(two.co_consts) and all(
        alike(a, b)
        if isinstance(a, CodeType) and isinstance(b, CodeType)
        else type(a) is type(b) and a == b
        for a, b in pairs
    )


def live(file: str, name: str, line: int | None = None) -> list[FunctionType]:
    """The functions of a file that have that qualified name, and begin at that line if told."""
    gc.unfreeze()  # what a server froze at its start is not listed
    return [
        one
        for one in gc.get_objects()
        if type(one) is FunctionType
        and one.__code__.co_qualname == name
        and one.__code__.co_filename == file
        and line in (None, one.__code__.co_firstlineno)
    ]
