"""YAML that knows its line numbers, read key by key so that nothing unknown slips through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tinker_mock.server.clock import UNITS

if TYPE_CHECKING:
    import yaml

LONGEST, MOST_NODES, DEEPEST = 100_000, 5_000, 32
"""Of a document: characters, values and levels."""
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def seconds(text: str) -> float | None:
    """Seconds of `250ms`, `2s`, `5m`, `1h`; None when it is no time."""
    match = DURATION.fullmatch(text)
    return float(match[1]) * UNITS[match[2]] if match else None


class ScenarioError(ValueError):
    """A scenario that cannot be loaded: `source:line: path: reason`."""

    def __init__(self, source: str, line: int, path: str, reason: str) -> None:
        super().__init__(f"{source}:{line}: {path or 'scenario'}: {reason}")
        self.source, self.line, self.path, self.reason = source, line, path, reason


class Section:
    """One mapping of the document. Ask for every key you know, then `finish`."""

    def __init__(self, value: dict[str, Any], source: str, path: str, lines: dict[str, int]):
        self.value = value
        self.source = source
        self.path = path
        self.lines = lines
        self._known: list[str] = []

    def fail(self, key: str, reason: str) -> ScenarioError:
        """The error to raise about `key` (or about this section, with an empty key)."""
        path = f"{self.path}.{key}".strip(".") if key else self.path
        return ScenarioError(self.source, self._line(path), path, reason)

    def _line(self, path: str) -> int:
        while path and path not in self.lines:
            path = re.sub(r"(\.[^.\[]*|\[\d+\]|^[^.\[]*)$", "", path)
        return self.lines.get(path, 1)

    def raw(self, key: str, default: Any = None) -> Any:
        self._known.append(key)
        return self.value.get(key, default)

    def text(self, key: str, default: str | None = None) -> str | None:
        value = self.raw(key, default)
        if value is not None and not isinstance(value, str):
            raise self.fail(key, f"must be text, got {value!r}")
        return value

    def number(self, key: str, default: float, low: float = 0.0, high: float = 1e9) -> float:
        value = self.raw(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fail(key, f"must be a number, got {value!r}")
        if not low <= value <= high:
            raise self.fail(key, f"must be between {low:g} and {high:g}, got {value}")
        return value

    def integer(self, key: str, default: int | None, low: int = 0) -> int | None:
        value = self.raw(key, default)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise self.fail(key, f"must be an integer of at least {low}, got {value!r}")
        return value

    def truth(self, key: str, default: bool = False) -> bool:
        value = self.raw(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, f"must be true or false, got {value!r}")
        return value

    def duration(self, key: str, default: float | None = None) -> float | None:
        """Seconds, from `250ms`, `2s`, `5m`, `1h`."""
        value = self.raw(key)
        if value is None:
            return default
        found = seconds(str(value))
        if found is None:
            raise self.fail(key, f"must be a time such as 250ms, 2s, 5m or 1h, got {value!r}")
        return found

    def names(self, key: str) -> list[str]:
        """One text or a list of texts."""
        value = self.raw(key)
        found = [value] if isinstance(value, str) else value or []
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise self.fail(key, f"must be text or a list of texts, got {value!r}")
        return found

    def section(self, key: str) -> Section | None:
        value = self.raw(key)
        if value is None:
            return None
        return self._inner(value, f"{self.path}.{key}".strip("."), key)

    def sections(self, key: str) -> Iterator[Section]:
        value = self.raw(key) or []
        if not isinstance(value, list):
            raise self.fail(key, f"must be a list, got {type(value).__name__}")
        for index, item in enumerate(value):
            yield self._inner(item, f"{self.path}.{key}[{index}]".strip("."), f"{key}[{index}]")

    def _inner(self, value: Any, path: str, key: str) -> Section:
        if not isinstance(value, dict):
            raise self.fail(key, f"must be a mapping, got {value!r}")
        return Section(value, self.source, path, self.lines)

    def finish(self) -> None:
        """Refuse keys nobody asked for."""
        for key in self.value:
            if key not in self._known:
                raise self.fail(str(key), f"unknown key; known: {', '.join(self._known)}")


def read_section(text: str, source: str) -> Section:
    """The document's top mapping. Raises ScenarioError for anything that is not one."""
    import yaml  # takes long, and most servers start without a scenario

    try:
        _check_size(text, source)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        value = yaml.safe_load(text)
    except ScenarioError:
        raise
    except (yaml.YAMLError, ValueError) as error:  # ValueError: the 99th month, 5000 digits
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise ScenarioError(source, line, "", f"is no YAML: {error.__class__.__name__}") from None
    if node is None or not isinstance(value, dict):
        raise ScenarioError(source, 1, "", f"must be a mapping, got {type(value).__name__}")
    lines: dict[str, int] = {}
    _number_lines(node, "", lines)
    return Section(value, source, "", lines)


def _check_size(text: str, source: str) -> None:
    """Raises ScenarioError for more than is ever needed, before anything recursive looks at it.

    An alias counts as much as what it stands for.
    """
    import yaml

    if len(text) > LONGEST:
        raise ScenarioError(source, 1, "", f"is longer than {LONGEST} characters")
    open_nodes: list[tuple[str | None, int]] = []  # anchor, and the count where it began
    sizes: dict[str, int] = {}
    count = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in {anchor for anchor, _ in open_nodes}:
                raise ScenarioError(source, line, "", f"*{event.anchor} is inside of itself")
            count += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.NodeEvent):
            count += 1
            if isinstance(event, yaml.ScalarEvent):
                sizes[event.anchor or ""] = 1
            else:
                open_nodes.append((event.anchor, count))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, begun = open_nodes.pop()
            sizes[anchor or ""] = count - begun + 1
        if count > MOST_NODES or len(open_nodes) > DEEPEST:
            reason = f"has more than {MOST_NODES} values, or nests deeper than {DEEPEST}"
            raise ScenarioError(source, line, "", reason)


def _number_lines(node: yaml.Node, path: str, lines: dict[str, int]) -> None:
    import yaml

    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            inner = f"{path}.{key.value}".strip(".")
            lines[inner] = key.start_mark.line + 1
            _number_lines(child, inner, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _number_lines(child, f"{path}[{index}]", lines)
