"""K2's rules, played against one provider: a verdict for each check."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.contracts.ledger import Requirement
from tinker_mock.contracts.locations import FIXTURES
from tinker_mock.kimi.markers import ToolTokens
from tinker_mock.kimi.vendor_metrics import Summary, prepare_request, trigger_similarity
from tinker_mock.suite.core.verdict import Status, Unmet, Verdict, expect, expect_equal, judging
from tinker_mock.suite.providers.provider import DONE, EVENT_STREAM, Answer, Provider

LEAST_F1 = 0.73
LEAST_SCHEMA_ACCURACY = 0.95
ID = re.compile(r"functions\.(?P<name>[^:]+):(?P<index>\d+)")
MARKERS = (*ToolTokens().kinds, *("<|open|>", "<|close|>", "<|sep|>"))
HALF_PAIR = re.compile("[\ud800-\udfff]")
CHAPTER = "kimi"


def load_requests() -> list[dict[str, Any]]:
    """Our request file: `{name, official, request}` rows; `official` is the finish_reason.

    `short` rows are those of a quick look, `loop` rows can be asked one after another.
    """
    text = (FIXTURES / "kimi" / "provider_requests.json").read_text("utf-8")
    return list(json.loads(text))


@dataclass
class Judge:
    """Gathers verdicts and the published numbers."""

    provider: Provider
    rules: Mapping[str, Requirement]
    wanted: Callable[[str], bool] = lambda check: True
    verdicts: list[Verdict] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def check(self, name: str) -> Iterator[None]:
        """Judge the block; Unmet is the provider's failure, anything else our own."""
        verdict = Verdict(name, self.rules[name], Status.PASS, scenario="kimi/provider")
        with judging(verdict):
            yield
        if verdict.status in (Status.FAIL, Status.WARN):
            verdict.curl = self.provider.curl()
        if self.wanted(name):
            self.verdicts.append(verdict)

    def run(self) -> None:
        """All of it. Never raises for the provider's faults."""
        rows = load_requests()
        self.answers(rows)
        self.conversation(rows)
        self.forced(rows)
        self.cut(rows)

    def answers(self, rows: list[dict[str, Any]]) -> None:
        """Every request, whole and streamed: the numbers, ids, finishes, markers, fragments."""
        outcomes = [(row, *self._both(row)) for row in rows]
        whole = [(row, one) for row, one, _ in outcomes]
        streams = [(row, one) for row, _, one in outcomes]
        self._metrics(whole, streams)
        answers = [one for _, one in whole + streams if isinstance(one, Answer)]
        self._answers(answers)
        self._streams([(one, two) for _, one, two in outcomes])

    def _both(self, row: dict[str, Any]) -> tuple[Answer | Unmet, Answer | Unmet]:
        whole = prepare_request(row["request"], self.provider.model)
        stream = prepare_request({**row["request"], "stream": True}, self.provider.model)
        return attempt(self.provider.ask, whole), attempt(self.provider.stream, stream)

    def _metrics(self, *groups: list[tuple[dict[str, Any], Answer | Unmet]]) -> None:
        summary, pairs = Summary(), []
        for row, answer in [pair for group in groups for pair in group]:
            if isinstance(answer, Unmet):
                summary.failure_count += 1
                pairs.append(("failed", row["official"]))
                continue
            summary.add(answer.finish_reason, answer.calls, row["request"].get("tools") or ())
            pairs.append((answer.finish_reason or "", row["official"]))
        similarity = trigger_similarity(pairs)
        self.numbers = {**similarity, **summary.as_dict()}
        with self.check("kimi/trigger/f1"):
            f1 = similarity["tool_call_f1"]
            expect(f1 >= LEAST_F1, "tool_call_f1", f"at least {LEAST_F1}", round(f1, 4))
        with self.check("kimi/schema/accuracy"):
            accuracy = summary.schema_accuracy
            message = "schema_accuracy of the tool_calls answers"
            good = accuracy is not None and accuracy >= LEAST_SCHEMA_ACCURACY
            expect(good, message, f"at least {LEAST_SCHEMA_ACCURACY}", accuracy)

    def _answers(self, answers: list[Answer]) -> None:
        calls = [call for answer in answers for call in answer.calls]
        with self.check("kimi/ids/form"):
            expect(calls, "some answer calls a tool", "a call", "none")
            for call in calls:
                match = ID.fullmatch(str(call.get("id")))
                named = match and match["name"] == call["function"]["name"]
                wanted = f"functions.{call['function']['name']}:N"
                expect(named, "the id has its form", wanted, call.get("id"))
        with self.check("kimi/finish/with-calls"):
            for answer in answers:
                if answer.calls and answer.finish_reason != "length":
                    expect_equal(answer.finish_reason, "tool_calls", "an answer with calls")
        with self.check("kimi/finish/without-calls"):
            for answer in answers:
                if not answer.calls:
                    expect(answer.finish_reason != "tool_calls", "an answer without calls", "stop")
        with self.check("kimi/markers/content"):
            for answer in answers:
                expect_no_marker(answer.content)
        with self.check("kimi/markers/reasoning"):
            for answer in answers:
                expect_no_marker(answer.reasoning)

    def _streams(self, pairs: list[tuple[Answer | Unmet, Answer | Unmet]]) -> None:
        streams = [stream for _, stream in pairs if isinstance(stream, Answer)]
        with self.check("kimi/stream/events"):
            expect(streams, "streams are served", "a stream", "none")
            for stream in streams:
                expect(stream.content_type.startswith(EVENT_STREAM), "events", EVENT_STREAM,
                       stream.content_type)  # fmt: skip
                for event in stream.events:
                    expect(event == DONE or is_json(event), "each event is JSON", "JSON", event)
        with self.check("kimi/stream/done"):
            for stream in streams:
                expect_equal(stream.events[-1:], [DONE], "the last event")
        with self.check("kimi/stream/fragments"):
            for stream in streams:
                expect_equal(stream.overwritten, stream.calls, "both kinds of client agree")
        with self.check("kimi/stream/indices"):
            for stream in streams:
                expect_equal(stream.misnumbered, [], "fragments without a number of their own")
        with self.check("kimi/stream/characters"):
            for event in (event for stream in streams for event in stream.events):
                expect(not HALF_PAIR.search(unescaped(event)), "characters are whole",
                       "no half surrogate pair", event)  # fmt: skip
        with self.check("kimi/stream/usage"):
            for stream in streams:
                expect(stream.usage, "usage is reported", "usage", stream.usage)
        with self.check("kimi/stream/same"):
            for whole, streamed in pairs:
                if isinstance(whole, Answer) and isinstance(streamed, Answer):
                    expect_equal(streamed.names, whole.names, "streamed and whole call the same")

    def conversation(self, rows: list[dict[str, Any]]) -> None:
        """Two questions in one conversation, each with its tool, and an answer after each."""
        first, second = [row["request"] for row in rows if row.get("loop")][:2]
        messages = list(first["messages"])
        tools = [*first["tools"], *second["tools"]]
        ids: list[str] = []
        ends: list[str | None] = []
        with self.check("kimi/loop/calls"):
            for question in (None, second["messages"][-1]):
                messages += [question] if question else []
                answer = self.provider.ask({**first, "messages": messages, "tools": tools})
                expect(answer.calls, "a question about a tool calls it", "a call", answer.message)
                messages.append(answer.as_message())
                for call in answer.calls:
                    ids.append(str(call.get("id")))
                    result = {"role": "tool", "tool_call_id": call["id"], "content": '{"ok": 1}'}
                    messages.append(result)
                final = self.provider.ask({**first, "messages": messages, "tools": tools})
                ends.append(final.finish_reason if final.content else "empty")
                messages.append(final.as_message())
        with self.check("kimi/loop/answer"):
            expect_equal(ends, ["stop", "stop"], "an answer in words after each result")
        with self.check("kimi/ids/counter"):
            indices = [int(match["index"]) for id in ids if (match := ID.fullmatch(id))]
            expect(len(ids) >= 2, "two calls in one conversation", 2, ids)
            expect_equal(indices, list(range(len(ids))), "the indices of the conversation's calls")

    def forced(self, rows: list[dict[str, Any]]) -> None:
        """What gateways and agents send: another provider's ids, and a tool that must be called."""
        request = next(row["request"] for row in rows if row["official"] == "tool_calls")
        function = request["tools"][0]["function"]["name"]
        call = {"id": "toolu_01", "type": "function",
                "function": {"name": function, "arguments": "{}"}}  # fmt: skip
        past = [
            {"role": "assistant", "content": "", "reasoning_content": " ", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "toolu_01", "content": '{"ok": 1}'},
        ]
        with self.check("kimi/history/foreign-ids"):
            answer = self.provider.ask({**request, "messages": [*request["messages"], *past]})
            expect_no_marker(answer.content)
            expect_no_marker(answer.reasoning)
        forced = {**request, "tool_choice": "required", "thinking": {"type": "enabled"}}
        with self.check("kimi/tool-choice/forced"):
            found = attempt(self.provider.ask, forced)
            if isinstance(found, Unmet):
                expect("tool_choice" in found.actual, "a refusal names tool_choice",
                       "tool_choice", found.actual)  # fmt: skip
            else:
                expect(found.calls, "a tool is called", "a call", found.message)

    def cut(self, rows: list[dict[str, Any]]) -> None:
        """An answer that runs into its limit."""
        request = next(row["request"] for row in rows if row["official"] == "tool_calls")
        with self.check("kimi/finish/cut"):
            answer = self.provider.ask({**request, "max_tokens": 2})
            expect_equal(answer.finish_reason, "length", "an answer cut off after two tokens")


def attempt(ask: Callable[[dict[str, Any]], Answer], body: dict[str, Any]) -> Answer | Unmet:
    """The answer, or why there is none."""
    try:
        return ask(body)
    except Unmet as unmet:
        return unmet


def expect_no_marker(text: str) -> None:
    """Unmet if a tool-call marker shows."""
    found = [marker for marker in MARKERS if marker in text]
    expect(not found, "no marker shows", "plain text", text)


def unescaped(text: str) -> str:
    """The strings of an event as one text; whole surrogate pairs are characters."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return ""


def is_json(text: str) -> bool:
    """Whether a text parses."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
