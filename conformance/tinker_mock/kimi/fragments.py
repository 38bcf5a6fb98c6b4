"""Tool calls that arrive in fragments: gathered by index, announced once, numbered densely."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tinker_mock.kimi.call_ids import IdRepair
from tinker_mock.kimi.naming import Toolbox
from tinker_mock.kimi.reports import Report, Reporter


@dataclass
class GatheredCall:
    """One call so far. `number` is its index on the way out, once it was announced."""

    ids: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    pending: str = ""
    number: int | None = None
    has_arguments: bool = False


class CallGatherer:
    """Fragments of one choice in, well-formed fragments out.

    A call is announced (id, name) exactly once, as soon as both are certain: when they are in
    form, or when arguments or another call follow. Clients that concatenate ids and names, as
    the official guidance does, and clients that overwrite them then agree.
    """

    def __init__(self, repair: IdRepair | None, toolbox: Toolbox, report: Reporter) -> None:
        self.repair = repair
        self.toolbox = toolbox
        self.report = report
        self.calls: dict[object, GatheredCall] = {}
        self.last: object = None
        self.announced = 0

    def add(self, fragment: Any, source: str = "native") -> list[dict[str, Any]]:
        """What can be said after this fragment."""
        if not isinstance(fragment, Mapping):
            self.report(Report("tool-fragment", f"not an object: {fragment!r}"))
            return []
        function = fragment.get("function")
        function = function if isinstance(function, Mapping) else {}
        key = self._key(fragment, function, source)
        out = self._announce_others(key) if key not in self.calls else []
        call = self.calls.setdefault(key, GatheredCall())
        self.last = key
        said = self._extend(call, fragment.get("id"), function)
        if len(said) == 1 and _says(fragment, function, said[0]):
            said = [dict(fragment)]
        return out + said

    def finish(self) -> list[dict[str, Any]]:
        """Announce what is left."""
        return self._announce_others(None)

    def _key(self, fragment: Mapping[str, Any], function: Mapping[str, Any], source: str) -> object:
        index = fragment.get("index")
        if isinstance(index, int):
            return (source, index)
        last = self.calls.get(self.last)
        fresh = last is None or (last.has_arguments and bool(function.get("name")))
        return (source, "unnumbered", len(self.calls)) if fresh else self.last

    def _extend(
        self, call: GatheredCall, id: Any, function: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        arguments = _as_text(function.get("arguments"))
        if call.number is not None:
            call.has_arguments |= bool(arguments)
            return [_more(call.number, arguments)] if arguments else []
        if isinstance(id, str) and id:
            call.ids.append(id)
        if isinstance(function.get("name"), str) and function["name"]:
            call.names.append(function["name"])
        call.pending += arguments
        call.has_arguments |= bool(arguments)
        return [self._announce(call)] if self._certain(call) else []

    def _certain(self, call: GatheredCall) -> bool:
        if call.pending and call.names:
            return True
        if len(call.names) != 1 or len(call.ids) != 1:
            return False
        in_form = self.repair is None or self.repair.form.parse(call.ids[0]) is not None
        return in_form and (not self.toolbox or call.names[0] in self.toolbox)

    def _announce_others(self, key: object) -> list[dict[str, Any]]:
        waiting = [one for other, one in self.calls.items() if other != key and one.number is None]
        return [self._announce(call) for call in waiting if call.names or call.ids or call.pending]

    def _announce(self, call: GatheredCall) -> dict[str, Any]:
        name = chosen_name(call.names, self.toolbox)
        given = self._given_id(call)
        id = self.repair.resolve(given, name) if self.repair and name else given
        if id != given:
            self.report(Report("id-repaired", f"{given!r} becomes {id!r}"))
        call.number, self.announced = self.announced, self.announced + 1
        function = {"name": name, "arguments": call.pending}
        call.pending = ""
        return {"index": call.number, "id": id, "type": "function", "function": function}

    def _given_id(self, call: GatheredCall) -> str | None:
        if not call.ids:
            return None
        candidates = [*reversed(call.ids), "".join(call.ids)]
        if self.repair:
            form = self.repair.form
            return next((one for one in candidates if form.parse(one)), call.ids[-1])
        return call.ids[-1]


def chosen_name(parts: list[str], toolbox: Toolbox) -> str:
    """The name meant by fragments that may repeat it, extend it or cut it in pieces."""
    if not parts:
        return toolbox.only() or ""
    joined = "".join(parts)
    for candidate in (joined, parts[-1], parts[0]):
        if candidate in toolbox:
            return candidate
    if all(later.startswith(earlier) for earlier, later in pairwise(parts)):
        return parts[-1]
    return joined


def _says(fragment: Mapping[str, Any], function: Mapping[str, Any], said: dict[str, Any]) -> bool:
    """The fragment as it came says the same."""
    mine = said["function"]
    return (
        fragment.get("index") == said["index"]
        and fragment.get("id") == said.get("id")
        and function.get("name") == mine.get("name")
        and (function.get("arguments") or "") == mine["arguments"]
    )


def _as_text(arguments: Any) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return json.dumps(arguments, ensure_ascii=False)


def _more(number: int, arguments: str) -> dict[str, Any]:
    return {"index": number, "function": {"arguments": arguments}}
