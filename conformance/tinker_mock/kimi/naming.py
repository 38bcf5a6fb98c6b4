"""Which function a tool call means, from the id a model wrote and the tools on offer."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

WITH_INDEX = re.compile(r"(?:functions\.)?(?P<name>[^:\r\n]+):[0-9]+")
BARE_COUNTER = re.compile(r"[0-9]+")
WITHOUT_INDEX = re.compile(r"functions\.(?P<name>[^:\s]+)")
TOOL_NAME = re.compile(r"[\w.\-]+")


class Toolbox:
    """The tools of one request; empty when it names none."""

    def __init__(self, tools: object = None) -> None:
        self.properties: dict[str, frozenset[str]] = {}
        for tool in tools if isinstance(tools, Sequence) and not isinstance(tools, str) else ():
            function = tool.get("function") if isinstance(tool, Mapping) else None
            if isinstance(function, Mapping) and isinstance(function.get("name"), str):
                self.properties[function["name"]] = _properties(function.get("parameters"))

    def __contains__(self, name: object) -> bool:
        return name in self.properties

    def __bool__(self) -> bool:
        return bool(self.properties)

    def only(self) -> str | None:
        """The tool, if there is exactly one."""
        return next(iter(self.properties)) if len(self.properties) == 1 else None

    def fitting(self, arguments: str) -> str | None:
        """The one tool whose properties cover the argument names; None if none or several do."""
        try:
            given = json.loads(arguments)
        except ValueError:
            return None
        if not isinstance(given, dict) or not given:
            return None
        fits = [name for name, known in self.properties.items() if known >= given.keys()]
        return fits[0] if len(fits) == 1 else None


def _properties(schema: Any) -> frozenset[str]:
    """Property names of a schema and of its alternatives."""
    if not isinstance(schema, Mapping):
        return frozenset()
    own = schema.get("properties")
    names = frozenset(own) if isinstance(own, Mapping) else frozenset()
    for combinator in ("anyOf", "oneOf", "allOf"):
        parts = schema.get(combinator)
        names = names.union(*map(_properties, parts if isinstance(parts, list) else ()))
    return names


def name_from_id(written: str, toolbox: Toolbox, *, lenient: bool = False) -> str | None:
    """The function named by the id a model wrote; None if it names none by itself.

    `functions.` is cut off and dots stay, unless only the last segment is a tool on offer.
    `lenient` also takes ids without an index and bare names of tools on offer.
    """
    match = WITH_INDEX.fullmatch(written)
    if match is None and lenient:
        match = WITHOUT_INDEX.fullmatch(written)
        if match is None and written in toolbox:
            return written
        if match is not None and toolbox and _known(match["name"], toolbox) not in toolbox:
            return None
    return _known(match["name"].strip(), toolbox) if match else None


def needs_arguments(written: str, *, lenient: bool = False) -> bool:
    """Only the arguments can tell the function of this id: a bare counter, or a foreign id."""
    if BARE_COUNTER.fullmatch(written):
        return True
    return lenient and bool(TOOL_NAME.fullmatch(written))


def name_from_arguments(arguments: str, toolbox: Toolbox) -> str | None:
    """The only tool, or the only one whose properties fit."""
    return toolbox.only() or toolbox.fitting(arguments)


def _known(name: str, toolbox: Toolbox) -> str:
    last = name.rpartition(".")[2]
    return last if name not in toolbox and last in toolbox else name
