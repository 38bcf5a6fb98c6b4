"""A streamed chat completion, put right while it passes: bytes in, bytes out.

All state belongs to one stream. A frame that needs no change passes byte for byte.
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol

from tinker_mock.kimi import json_text
from tinker_mock.kimi.answers import looped_finish_reason
from tinker_mock.kimi.call_ids import IdForm, IdRepair
from tinker_mock.kimi.fragments import CallGatherer
from tinker_mock.kimi.framing import EventReader, Frame, JsonLinesReader
from tinker_mock.kimi.histories import counted_history
from tinker_mock.kimi.naming import Toolbox
from tinker_mock.kimi.options import KimiOptions
from tinker_mock.kimi.reports import Report, Reporter
from tinker_mock.kimi.stream_parser import CallArguments, CallEnd, CallStart
from tinker_mock.kimi.texts import TEXT_FIELDS, Found, MarkedTexts

DONE = "[DONE]"
OF_INTEREST = re.compile(r'"tool_calls"|"finish_reason"\s*:\s*"|"error"')
JSON_LINES = "application/x-ndjson"
EVENT_STREAM = "text/event-stream"


def is_streaming(content_type: str) -> bool:
    """The content types that are treated as streams."""
    return EVENT_STREAM in content_type.lower() or JSON_LINES in content_type.lower()


class StreamRewriter(Protocol):
    """One stream on its way through."""

    def feed(self, chunk: bytes) -> bytes:
        """What can go out after this chunk."""

    def finish(self) -> bytes:
        """What is left at the end."""


class ChoiceStream:
    """One choice of one stream."""

    def __init__(self, request: Mapping[str, Any], options: KimiOptions, report: Reporter) -> None:
        self.options = options
        self.report = report
        repair = None
        if options.repairs_ids:
            form = IdForm(options.id_prefix)
            repair = IdRepair(
                form, counted_history(request, options), renumber_all=options.id_normalization
            )
        tools = request.get("tools")
        self.gatherer = CallGatherer(repair, Toolbox(tools), report)
        self.touches_calls = options.repairs_ids or options.assemble_tool_deltas
        self.texts = None
        if options.manual_tool_parsing:
            self.texts = MarkedTexts(tools, options.tool_tokens, report)
        self.whole: dict[int, WholeCall] = {}
        self.open: dict[tuple[str, int], list[str]] = {}
        self.saw_calls = False
        self.finished = False
        self.failed = False

    def delta(self, delta: Mapping[str, Any]) -> dict[str, Any]:
        """The delta that goes out for one that came in."""
        out = dict(delta)
        calls: list[dict[str, Any]] = []
        if self.texts is not None:
            out, found = self.texts.take(delta)
            calls += self._told(found)
        fragments = delta.get("tool_calls")
        if isinstance(fragments, list) and fragments:
            self.saw_calls = True
            if self.touches_calls:
                del out["tool_calls"]
                calls += [said for one in fragments for said in self.gatherer.add(one)]
        return self._with_calls(out, calls)

    def flush(self) -> dict[str, Any]:
        """A last delta with everything that was held back; empty if nothing was."""
        out: dict[str, Any] = {}
        calls: list[dict[str, Any]] = []
        if self.texts is not None:
            out, found = self.texts.finish()
            calls += self._told(found)
        calls += self.gatherer.finish()
        out = self._with_calls(out, calls)
        if self.whole:
            out["tool_calls"] = [self.whole[number].written() for number in sorted(self.whole)]
            self.whole = {}
        return out

    def reason(self, reason: Any) -> Any:
        """The finish_reason that goes out."""
        self.finished = self.finished or bool(reason)
        if not self.saw_calls or not reason or self.failed:
            return reason
        return looped_finish_reason(reason, self.options, self.report)

    def _with_calls(self, out: dict[str, Any], calls: list[dict[str, Any]]) -> dict[str, Any]:
        self.saw_calls = self.saw_calls or bool(calls)
        if not self.options.assemble_tool_deltas:
            return {**out, "tool_calls": calls} if calls else out
        for call in calls:
            if "id" in call:
                self.whole[call["index"]] = WholeCall(call)
            else:
                self.whole[call["index"]].more.append(call["function"]["arguments"])
        return out

    def _told(self, found: Found) -> list[dict[str, Any]]:
        """The fragments that the events of marked calls tell."""
        calls: list[dict[str, Any]] = []
        for field, event in found:
            match event:
                case CallStart(index, id, name):
                    self.open[field, index] = []
                    calls += self.gatherer.add(_fragment(index, "", id, name), field)
                case CallArguments(index, piece):
                    self.open[field, index].append(piece)
                    calls += self.gatherer.add(_fragment(index, piece), field)
                case CallEnd(index, complete):
                    arguments = "".join(self.open.pop((field, index)))
                    self.failed |= not complete and not json_text.is_json(arguments)
        return calls


class WholeCall:
    """A call that is gathered to be sent at once."""

    def __init__(self, first: dict[str, Any]) -> None:
        self.first = first
        self.more = [first["function"]["arguments"] or ""]

    def written(self) -> dict[str, Any]:
        """The call, complete."""
        function = {**self.first["function"], "arguments": json_text.joined("".join(self.more))}
        return {**self.first, "function": function}


def _fragment(index: int, arguments: str, id: str = "", name: str = "") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    return {"index": index, "id": id, "type": "function", "function": function}


class ChunkStream:
    """The default rewriting of a whole stream, whatever the number of choices."""

    def __init__(
        self,
        content_type: str,
        request: Mapping[str, Any],
        options: KimiOptions,
        report: Reporter,
    ) -> None:
        self.json_lines = JSON_LINES in content_type.lower()
        self.reader = JsonLinesReader() if self.json_lines else EventReader()
        self.request = request
        self.options = options
        self.report = report
        self.choices: dict[int, ChoiceStream] = {}
        self.latest = ""
        self.done = False
        self.failed = False

    def feed(self, chunk: bytes) -> bytes:
        """Frames that are complete, rewritten."""
        return b"".join(self._frame(frame) for frame in self.reader.feed(chunk))

    def finish(self) -> bytes:
        """The last frame, and what the choices still held back."""
        out = b"".join(self._frame(frame) for frame in self.reader.finish())
        if not self.done:
            out += self._flush_all()
            out += b"data: [DONE]\n\n" if self.json_lines else b""
        return out

    def _frame(self, frame: Frame) -> bytes:
        if frame.data is None:
            return frame.raw
        if frame.data.strip() == DONE:
            self.done = True
            return self._flush_all(ended=True) + frame.raw
        if self._is_plain(frame.data):
            self.latest = frame.data
            return frame.raw
        try:
            chunk = json_text.read(frame.data)
        except ValueError:
            self.report(Report("bad-body", f"a frame that is not JSON: {frame.data[:200]!r}"))
            return frame.raw
        if not isinstance(chunk, dict):
            return frame.raw
        self.failed = self.failed or bool(chunk.get("error"))
        if not isinstance(chunk.get("choices"), list):
            return frame.raw
        self.latest = frame.data
        chunks = self._chunks(chunk)
        if chunks == [chunk]:
            return frame.raw
        if not chunks:
            return b""
        first, *rest = map(json_text.write, chunks)
        return frame.with_data(first) + b"".join(b"data: " + one + b"\n\n" for one in rest)

    def _chunks(self, chunk: dict[str, Any]) -> list[dict[str, Any]]:
        """The chunks that go out for one that came in: none, itself, or some more before it."""
        before: list[dict[str, Any]] = []
        choices = []
        for choice in chunk["choices"]:
            if not isinstance(choice, dict):
                choices.append(choice)
                continue
            rewritten = self._choice(choice, before)
            if rewritten is not None:
                choices.append(rewritten)
        said_more = chunk.get("usage") or chunk.get("error")
        if not choices and chunk["choices"] and not said_more:
            return before
        return [*before, {**chunk, "choices": choices}]

    def _choice(
        self, choice: dict[str, Any], before: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        index = choice["index"] if isinstance(choice.get("index"), int) else 0
        state = self.choices.get(index)
        if state is None:
            state = self.choices[index] = ChoiceStream(self.request, self.options, self.report)
        given = choice.get("delta")
        out = dict(choice)
        if isinstance(given, dict):
            out["delta"] = state.delta(given)
        if not choice.get("finish_reason"):
            said_nothing = isinstance(given, dict) and out["delta"] != given
            return None if said_nothing and not any(out["delta"].values()) else out
        last = state.flush()
        state.failed |= self.failed or bool(choice.get("error"))
        out["finish_reason"] = state.reason(choice["finish_reason"])
        if last:
            before.append(self._chunk(index, last, None))
            if any(out.get("delta", {}).get(field) for field in ("tool_calls", *TEXT_FIELDS)):
                before.insert(len(before) - 1, self._chunk(index, out["delta"], None))
                out["delta"] = {}
        return out

    def _is_plain(self, data: str) -> bool:
        """Nothing in this object can need a change: no calls, no end, no markers to look for."""
        if self.options.manual_tool_parsing or not (data[:1] == "{" and data[-1:] == "}"):
            return False
        return OF_INTEREST.search(data) is None

    def _chunk(self, index: int, delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
        """A chunk of our own, in the envelope of the provider's latest."""
        try:
            latest = json_text.read(self.latest)
        except ValueError:
            latest = {"object": "chat.completion.chunk"}
        envelope = {k: v for k, v in latest.items() if k not in ("choices", "usage", "error")}
        choice = {"index": index, "delta": delta, "finish_reason": reason}
        return {**envelope, "choices": [choice]}

    def _flush_all(self, *, ended: bool = False) -> bytes:
        """What is held back; with `ended`, the finish a provider forgot after its calls."""
        chunks = []
        for index, state in sorted(self.choices.items()):
            delta = state.flush()
            failed = self.failed or state.failed
            forgot = ended and state.saw_calls and not state.finished and not failed
            reason = state.reason("stop") if forgot else None
            if delta or reason:
                chunks.append(self._chunk(index, delta, reason))
        return b"".join(b"data: " + json_text.write(one) + b"\n\n" for one in chunks)
