"""Text endpoints with several choices, tools and streams: each piece where it belongs."""

from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.suite.server.scenarios.text import HELLO, TOOL, chunks, offered, parsed
from tinker_mock.suite.server.scenarios.text_values import CLOCK, WEATHER

STREAM = {"stream": True, "stream_options": {"include_usage": True}}
WARM = {"max_tokens": 24, "temperature": 1.0, "seed": 3}
TIMES = [{"role": "user", "content": WEATHER}]


class Asker:
    """Asks one model."""

    def __init__(self, context: ScenarioContext) -> None:
        self.context = context
        self.model = offered(context)

    def chat(self, **fields: Any) -> Reply:
        """A chat completion."""
        body = {"model": self.model, "messages": HELLO, **WARM, **fields}
        return self.context.client.call("create_chat_completion", body).require(200)

    def complete(self, **fields: Any) -> Reply:
        """A plain completion."""
        body = {"model": self.model, "prompt": "Once upon a time", **WARM, **fields}
        return self.context.client.call("create_completion", body).require(200)


def assembled(reply: Reply) -> dict[int, dict[str, Any]]:
    """The choices of a streamed chat by their index: text, log-probabilities, calls, end."""
    found: dict[int, dict[str, Any]] = {}
    for choice in (one for chunk in chunks(reply) for one in chunk["choices"]):
        whole = found.setdefault(choice["index"], {"text": "", "logprobs": [], "calls": {}})
        delta = choice.get("delta") or {}
        whole["text"] += delta.get("content") or choice.get("text") or ""
        whole["logprobs"] += (choice.get("logprobs") or {}).get("content") or []
        for call in delta.get("tool_calls") or ():
            arguments = (call.get("function") or {}).get("arguments") or ""
            whole["calls"][call["index"]] = whole["calls"].get(call["index"], "") + arguments
        whole["end"] = choice.get("finish_reason") or whole.get("end")
    return found


@scenario("text/choices", reads_only=True)
def choices(context: ScenarioContext) -> None:
    """Several choices, whole and streamed."""
    asker = Asker(context)
    several = asker.chat(n=4).at("/choices")
    with context.check("text/chat/choices-differ"):
        answers = {one["message"].get("content") for one in several}
        expect(len(answers) > 1, "four choices at temperature 1 are not one answer", "> 1", answers)
        more = {one["text"] for one in asker.complete(n=4).at("/choices")}
        expect(len(more) > 1, "nor are four continuations", "> 1", more)
    whole = asker.chat(n=2, logprobs=True)
    reply = asker.chat(n=2, logprobs=True, **STREAM)
    pieces = assembled(reply)
    with context.check("text/stream/choices"):
        expect_equal(sorted(pieces), [0, 1], "both choices are streamed")
        for one in whole.at("/choices"):
            said = (pieces[one["index"]]["text"], pieces[one["index"]]["end"])
            meant = (one["message"].get("content") or "", one["finish_reason"])
            expect_equal(said, meant, f"choice {one['index']}, as it is whole")
    with context.check("text/stream/choices-usage"):
        told = chunks(reply)[-1].get("usage") or {}
        names = ("prompt_tokens", "completion_tokens", "total_tokens")
        counts = [whole.at("/usage")[name] for name in names]
        expect_equal([told.get(name) for name in names], counts, "the usage of all choices")
    with context.check("text/stream/logprobs"):
        for one in whole.at("/choices"):
            rows = (one.get("logprobs") or {}).get("content") or []
            if not rows:
                raise Inapplicable("log-probabilities are not told")
            got = [row["logprob"] for row in pieces.get(one["index"], {}).get("logprobs", [])]
            expect_equal(len(got), len(rows), "one log-probability a token, streamed too")
            context.alike(got, [row["logprob"] for row in rows], "as they are whole")
    plain(context, asker)


def plain(context: ScenarioContext, asker: Asker) -> None:
    """Plain completions: several prompts streamed, the prompt scored, why they end."""
    prompts = {"prompt": ["Once upon a time", "In the middle of"], "n": 2}
    whole, reply = asker.complete(**prompts), asker.complete(**prompts, **STREAM)
    with context.check("text/stream/completions-equal"):
        want = {one["index"]: one["text"] for one in whole.at("/choices")}
        got = {index: one["text"] for index, one in assembled(reply).items()}
        expect_equal(got, want, "each continuation of each prompt")
        told = chunks(reply)[-1].get("usage") or {}
        expect_equal(told.get("total_tokens"), whole.at("/usage/total_tokens"), "their usage")
    with context.check("text/completions/finish"):
        for seed in range(6):
            one = asker.complete(seed=seed, max_tokens=200)
            full = one.at("/usage/completion_tokens") >= 200
            expect_equal(one.at("/choices/0/finish_reason") == "length", full, "why it ended")
    with context.check("text/completions/echo-logprobs"):
        told = asker.complete(echo=True, logprobs=1).at("/choices/0/logprobs")
        values = told["token_logprobs"]
        expect_equal(values[0], None, "the first token of a prompt has no log-probability")
        rest = values[1:]
        expect(all(value is not None for value in rest), "every other one has", "numbers", rest)
    with context.check("text/completions/top-logprobs"):
        told = asker.complete(logprobs=3, temperature=0, max_tokens=6).at("/choices/0/logprobs")
        for token, value, row in zip(
            told["tokens"], told["token_logprobs"], told["top_logprobs"], strict=True
        ):
            fine = token in row and abs(max(row.values()) - value) < 1e-3
            expect(fine, "greedy: the token itself is the likeliest of its row", value, row)


@scenario("text/tools-chosen", reads_only=True)
def tools(context: ScenarioContext) -> None:
    """Which tool is called, with which id, and the same streamed."""
    asker = Asker(context)
    asked = {"messages": TIMES, "tools": [TOOL, CLOCK], "max_tokens": 400}
    with context.check("text/tools/named"):
        for name in ("get_time", "get_weather"):
            choice = {"type": "function", "function": {"name": name}}
            calls = asker.chat(**asked, tool_choice=choice).at("/choices/0/message/tool_calls")
            names = [one["function"]["name"] for one in calls]
            expect_equal(names, [name], "the tool that was named, and no other")
    whole = asker.chat(**asked, tool_choice="required")
    calls = whole.at("/choices/0/message/tool_calls")
    with context.check("text/tools/ids"):
        if len(calls) < 2:
            raise Inapplicable("one tool was called")
        expect_equal(len({one["id"] for one in calls}), len(calls), "each call has its own id")
    with context.check("text/stream/tools"):
        pieces = assembled(asker.chat(**asked, tool_choice="required", **STREAM))
        got = [parsed(text) for _, text in sorted(pieces[0]["calls"].items())]
        want = [parsed(one["function"]["arguments"]) for one in calls]
        expect_equal(got, want, "the arguments of every call, whole")
