"""Text endpoints: OpenAI- and Anthropic-compatible, on the server's own models."""

import json
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.verdict import Inapplicable, Unmet, expect, expect_equal
from tinker_mock.suite.server.scenario import scenario

DONE = "[DONE]"
HELLO = [{"role": "user", "content": "Hello"}]
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
BLOCK_EVENTS = {"content_block_start": 1, "content_block_stop": -1}


@scenario("text/answers", reads_only=True)
def answers(context: ScenarioContext) -> None:
    """Models, whole answers, tools, plain completions."""
    model = offered(context)
    with context.check("text/models/listed"):
        listed = context.client.call("list_text_models").require(200).at("/data")
        expect(listed and all(one.get("id") for one in listed), "models with ids", "ids", listed)
    with context.check("text/models/by-name"):
        found = context.client.call("get_text_model", path={"model": model}).require(200)
        expect_equal(found.at("/id"), model, "the model of that name")
    body = {"model": model, "messages": HELLO, "max_tokens": 64, "seed": 5}
    answer = context.client.call("create_chat_completion", body)
    with context.check("text/chat/message"):
        choice = answer.require(200).at("/choices/0")
        expect_equal(choice["message"]["role"], "assistant", "who speaks")
        expect(choice["finish_reason"] in ("stop", "length"), "why it ended", "stop", choice)
    with context.check("text/chat/usage"):
        usage = answer.require(200).at("/usage")
        total = usage["prompt_tokens"] + usage["completion_tokens"]
        expect_equal(usage["total_tokens"], total, "total_tokens is the sum")
    with context.check("text/chat/usage-counts"):
        longer = [{"role": "user", "content": "Hello there, and good morning to you all"}]
        more = context.client.call("create_chat_completion", {**body, "messages": longer})
        counts = [one.require(200).at("/usage/prompt_tokens") for one in (answer, more)]
        expect(counts[1] > counts[0] > 1, "longer prompts count more", "more", counts)
    with context.check("text/chat/seed"):
        again = context.client.call("create_chat_completion", body).require(200)
        expect_equal(again.at("/choices"), answer.require(200).at("/choices"), "the same answer")
    with context.check("text/chat/choices"):
        several = context.client.call("create_chat_completion", {**body, "n": 3}).require(200)
        indices = [choice["index"] for choice in several.at("/choices")]
        expect_equal(indices, [0, 1, 2], "three choices")
    with context.check("text/chat/limit"):
        short = context.client.call("create_chat_completion", {**body, "max_tokens": 2}).require(
            200
        )
        expect_equal(short.at("/choices/0/finish_reason"), "length", "cut off by its limit")
        expect(short.at("/usage/completion_tokens") <= 2, "not longer", 2, short.at("/usage"))
    called = context.client.call(
        "create_chat_completion",
        {**body, "max_tokens": 300, "tools": [TOOL], "tool_choice": "required"},
    )
    with context.check("text/tools/call"):
        function = called.require(200).at("/choices/0/message/tool_calls/0/function")
        expect_equal(function["name"], "get_weather", "the tool")
        expect("city" in parsed(function["arguments"]), "arguments", "city", function)
    with context.check("text/tools/finish"):
        expect_equal(called.require(200).at("/choices/0/finish_reason"), "tool_calls", "the end")
    efforts(context, body)
    completions(context, model)


def efforts(context: ScenarioContext, body: dict[str, Any]) -> None:
    """How much to reason, in words and numbers."""
    short = {**body, "max_tokens": 2}
    with context.check("text/openai/effort-words"):
        for word in ("none", "minimal", "low", "medium", "high", "xhigh"):
            asked = {**short, "reasoning_effort": word}
            context.client.call("create_chat_completion", asked).require(200)
    with context.check("text/openai/effort-numbers"):
        for number in (0.0, 0.5, 0.99):
            asked = {**short, "reasoning_effort": number}
            context.client.call("create_chat_completion", asked).require(200)


def completions(context: ScenarioContext, model: str) -> None:
    """A prompt continued, and cut before a stop string."""
    body = {"model": model, "prompt": "Once upon a time", "max_tokens": 24, "seed": 3}
    plain = context.client.call("create_completion", body)
    with context.check("text/completions/text"):
        expect(plain.require(200).at("/choices/0/text"), "some text", "text", "")
    with context.check("text/completions/stop"):
        text = plain.require(200).at("/choices/0/text")
        stop = text[len(text) // 2 :][:2]
        cut = context.client.call("create_completion", {**body, "stop": stop}).require(200)
        begin = text[: text.index(stop)]
        expect_equal(cut.at("/choices/0/text"), begin, "the text up to the stop string")
    with context.check("text/completions/logit-bias"):
        asked = {**body, "max_tokens": 4, "logit_bias": {"300": 100}}
        biased = context.client.call("create_completion", asked).require(200)
        text = biased.at("/choices/0/text")
        same = len(text) % 4 == 0 and text == text[: len(text) // 4] * 4
        expect(text and same, "a token with a bias of 100 comes every time", "one piece", text)


@scenario("text/streams", reads_only=True)
def streams(context: ScenarioContext) -> None:
    """The same answer in chunks."""
    model = offered(context)
    body = {"model": model, "messages": HELLO, "max_tokens": 64, "seed": 5}
    options = {"stream": True, "stream_options": {"include_usage": True}}
    reply = context.client.call("create_chat_completion", {**body, **options})
    with context.check("text/stream/events"):
        expect_equal(reply.require(200).media_type, "text/event-stream", "a stream of events")
        expect(chunks(reply), "chunks", "at least one", reply.text)
    with context.check("text/stream/done"):
        expect_equal(reply.events()[-1:], [DONE], "the last event")
    found = chunks(reply)
    ends = [c["finish_reason"] for one in found for c in one["choices"] if c.get("finish_reason")]
    with context.check("text/stream/finish"):
        expect_equal(len(ends), 1, "one finish_reason")
    with context.check("text/stream/usage"):
        expect_equal(found[-1]["choices"], [], "the last chunk has no choices")
        expect(found[-1].get("usage"), "and the usage", "usage", found[-1])
    with context.check("text/stream/equal"):
        whole = context.client.call("create_chat_completion", body).require(200)
        deltas = [c["delta"] for one in found for c in one["choices"]]
        text = "".join(delta.get("content") or "" for delta in deltas)
        expect_equal(text, whole.at("/choices/0/message/content"), "the pieces are the whole")


@scenario("text/messages", reads_only=True)
def messages(context: ScenarioContext) -> None:
    """The Anthropic side."""
    model = offered(context)
    body = {"model": model, "messages": HELLO, "max_tokens": 64}
    whole = context.client.call("create_message", body)
    if whole.status in (404, 405, 501):
        raise Inapplicable("the server has no endpoints in Anthropic's form")
    with context.check("text/messages/message"):
        expect(whole.require(200).at("/content"), "content blocks", "blocks", whole.text)
        reason = whole.at("/stop_reason")
        expect(reason in ("end_turn", "max_tokens"), "why it stopped", "end_turn", reason)
    with context.check("text/messages/system"):
        asked = {**body, "system": "You answer every question with the name of a colour."}
        told = context.client.call("create_message", asked).require(200)
        sizes = [prompt_size(one) for one in (whole.require(200), told)]
        expect(sizes[1] > sizes[0] + 3, "a system prompt makes the prompt longer", "more", sizes)
    with context.check("text/messages/events"):
        judge_order(context.client.call("create_message", {**body, "stream": True}).require(200))
    with context.check("text/messages/tools"):
        tool = {"name": "get_weather", "input_schema": PARAMETERS}
        asked = {**body, "max_tokens": 300, "tools": [tool], "tool_choice": {"type": "any"}}
        used = context.client.call("create_message", asked).require(200)
        expect_equal(used.at("/stop_reason"), "tool_use", "it stops for the tool")
        block = used.at("/content")[-1]
        expect("city" in (block.get("input") or ()), "input is an object", "city", block)
    with context.check("text/anthropic/effort"):
        for word in ("low", "medium", "high", "xhigh", "max"):
            asked = {**body, "max_tokens": 2, "output_config": {"effort": word}}
            context.client.call("create_message", asked).require(200)
    with context.check("text/messages/count"):
        ask = {"model": model, "messages": HELLO}
        counted = context.client.call("count_message_tokens", ask).require(200)
        expect_equal(
            prompt_size(whole.require(200)), counted.at("/input_tokens"), "the prompt as counted"
        )


def prompt_size(message: Reply) -> int:
    """The tokens of a message's prompt, read from a cache or not."""
    fields = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return sum(int(message.at("/usage").get(name) or 0) for name in fields)


def judge_order(reply: Reply) -> None:
    """Unmet unless the events open and close one block after another between start and stop."""
    kinds = [str(one.get("type")) for one in chunks(reply) if one.get("type") != "ping"]
    expect_equal(kinds[:1], ["message_start"], "the first event")
    expect_equal(kinds[-2:], ["message_delta", "message_stop"], "the last events")
    depth = 0
    for kind in kinds[1:-2]:
        depth += BLOCK_EVENTS.get(kind, 0)
        inside = kind != "content_block_delta" or depth == 1
        expect(depth in (0, 1) and inside, "one block at a time", "open, deltas, close", kinds)
    expect_equal(depth, 0, "every block is closed")


@scenario("text/refusals", reads_only=True)
def refusals(context: ScenarioContext) -> None:
    """Errors in each API's own form."""
    model = offered(context)
    body = {"model": model, "messages": HELLO}
    ask = "create_chat_completion"
    cases: tuple[tuple[str, dict[str, Any], dict[str, str | None], tuple[int, ...]], ...] = (
        ("text/refusals/model", {**body, "model": "nobody/nothing"}, {}, (400, 404)),
        ("text/refusals/length", {**body, "max_tokens": 100_000_000}, {}, (400,)),
        ("text/refusals/key", body, {"x-api-key": None, "authorization": None}, (401,)),
    )
    for check, asked, headers, statuses in cases:
        with context.check(check):
            refused = context.client.call(ask, asked, headers=headers).require(*statuses).json()
            expect(says_why(refused), "it says why", "detail, or a whole error", refused)
    known = {"model": model, "messages": HELLO, "max_tokens": 4}
    if context.client.call("create_message", known).status in (404, 405, 501):
        raise Inapplicable("the server has no endpoints in Anthropic's form")
    with context.check("text/refusals/message"):
        unknown = {"model": "nobody/nothing", "messages": HELLO, "max_tokens": 4}
        refused = context.client.call("create_message", unknown).require(404)
        expect_equal(refused.at("/type"), "error", "an object of type error")
        expect_equal(refused.at("/error/type"), "not_found_error", "its kind")


def says_why(refusal: Any) -> bool:
    """Whether a refusal has a `detail`, as the service's, or an error with OpenAI's four fields."""
    if not isinstance(refusal, dict):
        return False
    error = refusal.get("error")
    if not isinstance(error, dict):
        return bool(refusal.get("detail"))
    return {"message", "type", "param", "code"} <= set(error) and bool(error["message"])


def offered(context: ScenarioContext) -> str:
    """A model for text; Inapplicable when the server has no text endpoints."""
    try:
        models = context.client.call("list_text_models").require(200).at("/data")
        return context.base_model or str(models[0]["id"])
    except (Unmet, IndexError, KeyError, TypeError) as error:
        raise Inapplicable("the server has no text endpoints") from error


def chunks(reply: Reply) -> list[dict[str, Any]]:
    """The JSON objects of a stream."""
    return [parsed(data) for data in reply.events() if data != DONE]


def parsed(text: str) -> dict[str, Any]:
    """A JSON object; Unmet for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Unmet("a JSON object", "JSON", text)
    return value
