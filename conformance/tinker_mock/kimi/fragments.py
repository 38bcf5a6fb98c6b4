"""Tool calls that arrive in fragments: gathered, announced once, numbered densely.

Providers tell calls apart by index, by id, by both, or by neither: some send every call under
index 0, some no index at all, some a new id with each fragment, and some cut ids and names in
pieces. `CallGatherer._call_of` says which call a fragment belongs to.
"""

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
    pending: list[str] = field(default_factory=list)
    number: int | None = None
    has_arguments: bool = False
    indexed: bool = False


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
        self.announced = 0
        self._waiting: list[GatheredCall] = []
        # By source and index, with an index of None for whatever the index.
        self._latest: dict[tuple[str, int | None], GatheredCall] = {}
        self._by_id: dict[tuple[str, int | None, str], GatheredCall] = {}

    def add(self, fragment: Any, source: str = "native") -> list[dict[str, Any]]:
        """What can be said after this fragment."""
        if not isinstance(fragment, Mapping):
            self.report(Report("tool-fragment", f"not an object: {fragment!r}"))
            return []
        function = fragment.get("function")
        function = function if isinstance(function, Mapping) else {}
        index, id = _index(fragment.get("index")), _string(fragment.get("id"))
        name = _string(function.get("name"))
        call = self._call_of(source, index, id, name)
        out = []
        if call is None:
            out = self._announce_waiting()
            call = GatheredCall(indexed=index is not None)
            self._waiting.append(call)
        for at in {index, None}:
            self._latest[source, at] = call
            if id and call.number is None:
                self._by_id[source, at, id] = call
                self._by_id[source, at, "".join([*call.ids, id])] = call
        said = self._extend(call, id, name, _as_text(function.get("arguments")))
        if len(said) == 1 and _says(fragment, function, said[0]):
            said = [dict(fragment)]
        return out + said

    def finish(self) -> list[dict[str, Any]]:
        """Announce what is left."""
        return self._announce_waiting()

    def _call_of(self, source: str, index: int | None, id: str, name: str) -> GatheredCall | None:
        """The call that a fragment goes on with; None if it begins one."""
        known = self._by_id.get((source, index, id)) if id else None
        if known is not None:
            return known
        latest = self._latest.get((source, index))
        if latest is None:
            # Said without an index before, perhaps.
            before = self._latest.get((source, None))
            goes_on = before is not None and not before.indexed and not id and not name
            return before if goes_on else None
        if not name:
            return latest
        if not id:
            other = latest.has_arguments and (index is None or name not in latest.names)
            return None if other else latest
        return latest if self._goes_on(latest, id, name) else None

    def _goes_on(self, call: GatheredCall, id: str, name: str) -> bool:
        """Whether another id with a name is the rest of this call's own, cut in pieces."""
        if call.has_arguments:
            return False
        if not call.ids:
            return True
        joined_id, joined_name = "".join([*call.ids, id]), "".join([*call.names, name])
        if self.repair and self.repair.form.parse(joined_id):
            return self.repair.form.parse(id) is None
        if not call.names:
            return True
        return any(known.startswith(joined_name) for known in self.toolbox.properties)

    def _extend(
        self, call: GatheredCall, id: str, name: str, arguments: str
    ) -> list[dict[str, Any]]:
        call.has_arguments |= bool(arguments)
        if call.number is not None:
            return [_more(call.number, arguments)] if arguments else []
        call.ids += [id] if id else []
        call.names += [name] if name else []
        call.pending += [arguments] if arguments else []
        return [self._announce(call)] if self._certain(call) else []

    def _certain(self, call: GatheredCall) -> bool:
        if call.pending and call.names:
            return True
        if len(call.names) != 1 or len(call.ids) != 1:
            return False
        in_form = self.repair is None or self.repair.form.parse(call.ids[0]) is not None
        return in_form and (not self.toolbox or call.names[0] in self.toolbox)

    def _announce_waiting(self) -> list[dict[str, Any]]:
        waiting, self._waiting = self._waiting, []
        said = []
        for call in waiting:
            if call.number is not None:
                continue
            if call.names or call.ids or call.pending:
                said.append(self._announce(call))
            else:
                self._waiting.append(call)
        return said

    def _announce(self, call: GatheredCall) -> dict[str, Any]:
        name = chosen_name(call.names, self.toolbox)
        given = self._given_id(call)
        id = self.repair.resolve(given, name) if self.repair and name else given
        if id != given:
            self.report(Report("id-repaired", f"{given!r} becomes {id!r}"))
        call.number, self.announced = self.announced, self.announced + 1
        function = {"name": name, "arguments": "".join(call.pending)}
        call.pending.clear()
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


def _index(value: Any) -> int | None:
    """A call's index; some providers write it as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _as_text(arguments: Any) -> str:
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return json.dumps(arguments, ensure_ascii=False)


def _more(number: int, arguments: str) -> dict[str, Any]:
    return {"index": number, "function": {"arguments": arguments}}
