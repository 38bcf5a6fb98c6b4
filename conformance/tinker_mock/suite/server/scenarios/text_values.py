"""Text endpoints by value: what is counted, remembered, cut and drawn is what was asked for."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.suite.server.scenarios.text import (
    HELLO,
    PARAMETERS,
    TOOL,
    chunks,
    offered,
    prompt_size,
)

LIMIT = 12
TALK = [
    {"role": "user", "content": "My name is Ada, and I count sheep."},
    {"role": "assistant", "content": "Good evening, Ada. How many are there tonight?"},
    *HELLO,
]
SYSTEM = {"role": "system", "content": "You answer every question with the name of a colour."}
SEEDS = 6
"""So many are tried for an answer that runs into its limit."""
RARE = {str(token): 100 for token in range(300, 316)}
WEATHER = "What is the weather in Oslo, and what is the time there?"
CLOCK = {**TOOL, "function": {"name": "get_time", "parameters": PARAMETERS}}


@dataclass(frozen=True)
class Reader:
    """Asks one model; greedily, unless it is told otherwise."""

    context: ScenarioContext
    model: str

    def complete(self, **fields: Any) -> Reply:
        """A plain completion."""
        body = {"model": self.model, "prompt": "Once upon a time", "max_tokens": LIMIT}
        return self.context.client.call("create_completion", {**body, "temperature": 0, **fields})

    def chat(self, **fields: Any) -> Reply:
        """A chat completion."""
        body = {"model": self.model, "messages": HELLO, "max_tokens": LIMIT, "temperature": 0}
        return self.context.client.call("create_chat_completion", {**body, **fields})

    def message(self, **fields: Any) -> Reply:
        """An answer in Anthropic's form."""
        body = {"model": self.model, "messages": HELLO, "max_tokens": LIMIT, "temperature": 0}
        return self.context.client.call("create_message", {**body, **fields})

    def counted(self, **fields: Any) -> int:
        """The tokens of a message's prompt."""
        body = {"model": self.model, "messages": HELLO, **fields}
        reply = self.context.client.call("count_message_tokens", body).require(200)
        return int(reply.at("/input_tokens"))


def cut_off(ask: Any, **fields: Any) -> Reply:
    """An answer all of whose choices ran into their limit; Inapplicable if none does."""
    for seed in range(SEEDS):
        reply: Reply = ask(temperature=1.0, seed=seed, **fields).require(200)
        if all(one["finish_reason"] == "length" for one in reply.at("/choices")):
            return reply
    raise Inapplicable("no answer ran into its limit")


def text_of(reply: Reply) -> str:
    """The text of a completion's only choice."""
    return str(reply.require(200).at("/choices/0/text"))


@scenario("text/completions-by-value", reads_only=True)
def by_value(context: ScenarioContext) -> None:
    """Plain completions: limits, several prompts, echo, log-probabilities, penalties."""
    reader = Reader(context, offered(context))
    plain = reader.complete()
    with context.check("text/completions/limit"):
        usage = cut_off(reader.complete).at("/usage")
        expect_equal(usage["completion_tokens"], LIMIT, "as many tokens as max_tokens")
    with context.check("text/completions/n"):
        two, one = cut_off(reader.complete, n=2), plain.require(200).at("/usage")
        expect_equal([one["index"] for one in two.at("/choices")], [0, 1], "two choices")
        counted = (two.at("/usage/prompt_tokens"), two.at("/usage/completion_tokens"))
        expect_equal(counted, (one["prompt_tokens"], 2 * LIMIT), "one prompt, two answers")
    with context.check("text/completions/prompts"):
        prompts = ["Once upon a time", "In the middle of the night there"]
        both = reader.complete(prompt=prompts).require(200).at("/choices")
        alone = [text_of(reader.complete(prompt=prompt)) for prompt in prompts]
        expect_equal([one["text"] for one in both], alone, "each continued as it is alone")
    with context.check("text/completions/echo"):
        echoed = text_of(reader.complete(echo=True))
        expect_equal(echoed, "Once upon a time" + text_of(plain), "the prompt, then the text")
    with context.check("text/completions/logprobs"):
        told = cut_off(reader.complete, logprobs=3).at("/choices/0/logprobs")
        sizes = [len(told[name]) for name in ("tokens", "token_logprobs", "top_logprobs")]
        expect_equal(sizes, [LIMIT] * 3, "one entry a token")
        ends = [sum(map(len, told["tokens"][:place])) for place in range(LIMIT)]
        begin = told["text_offset"][0]
        offsets = [place - begin for place in told["text_offset"]]
        expect_equal(offsets, ends, "text_offset says where each token begins")
    with context.check("text/completions/top-k"):
        likely = {"logit_bias": {"300": 1}, "temperature": 1.0, "top_k": 1, "seed": 9}
        tried = reader.complete(**likely)
        if tried.status in (400, 422):
            raise Inapplicable("the server has no top_k, which OpenAI's has not either")
        greedy = text_of(reader.complete(logit_bias={"300": 1}))
        expect_equal(text_of(tried), greedy, "of one token the likeliest is drawn, biased or not")
    with context.check("text/completions/frequency"):
        biased = {"logit_bias": RARE, "max_tokens": 64}
        often = reader.complete(**biased).require(200).at("/choices/0/text")
        seldom = reader.complete(**biased, frequency_penalty=2.0).require(200)
        expect(seldom.at("/choices/0/text") != often, "repetition is punished", "another", often)


@scenario("text/chat-by-value", reads_only=True)
def chat_by_value(context: ScenarioContext) -> None:
    """Chat completions: counts, memory, limits, log-probabilities, streams."""
    reader = Reader(context, offered(context))
    plain = reader.chat()
    with context.check("text/chat/usage-answer"):
        one, two = cut_off(reader.chat), cut_off(reader.chat, n=2)
        counts = [reply.at("/usage/completion_tokens") for reply in (one, two)]
        expect_equal(counts, [LIMIT, 2 * LIMIT], "every token of every choice")
        prompts = [reply.at("/usage/prompt_tokens") for reply in (one, two)]
        expect_equal(prompts[1], prompts[0], "one prompt")
    with context.check("text/chat/history"):
        asked = (HELLO, TALK[1:], TALK, [SYSTEM, *TALK])
        sizes = [reader.chat(messages=m).require(200).at("/usage/prompt_tokens") for m in asked]
        expect(sizes == sorted(set(sizes)), "each earlier message is read", "growing", sizes)
    with context.check("text/chat/temperature-zero"):
        again = reader.chat().require(200).at("/choices/0/message")
        expect_equal(again, plain.require(200).at("/choices/0/message"), "the same answer")
    with context.check("text/chat/limit-words"):
        short = reader.chat(max_tokens=None, max_completion_tokens=2).require(200)
        expect(short.at("/usage/completion_tokens") <= 2, "not longer", 2, short.at("/usage"))
    logprobs(context, reader)
    streamed(context, reader)
    tools(context, reader)


def logprobs(context: ScenarioContext, reader: Reader) -> None:
    """What is said of each token."""
    with context.check("text/chat/logprobs"):
        asked = reader.chat(max_tokens=64, logprobs=True, top_logprobs=3, reasoning_effort="none")
        choice = asked.require(200).at("/choices/0")
        expect(choice.get("logprobs"), "log-probabilities, as asked for", "an object", choice)
        told, content = choice["logprobs"]["content"], choice["message"]["content"] or ""
        spelled = b"".join(bytes(one["bytes"]) for one in told).decode(errors="replace")
        expect_equal(spelled.strip(), content.strip(), "the tokens' bytes are the text")
        for one in told:
            top = {other["token"]: other["logprob"] for other in one["top_logprobs"]}
            expect_equal(len(one["top_logprobs"]), 3, "three alternatives")
            likeliest = max(top.values())
            expect(one["logprob"] >= likeliest - 1e-3, "greedy: the likeliest", likeliest, one)


def streamed(context: ScenarioContext, reader: Reader) -> None:
    """The end of a stream says what the whole answer says."""
    options = {"stream": True, "stream_options": {"include_usage": True}}
    whole = cut_off(reader.chat)
    seed = next(s for s in range(SEEDS) if ended(reader.chat(temperature=1.0, seed=s)) == "length")
    parts = chunks(reader.chat(temperature=1.0, seed=seed, **options).require(200))
    with context.check("text/stream/usage-equal"):
        expect_equal(parts[-1].get("usage"), whole.at("/usage"), "the usage of the whole answer")
    with context.check("text/stream/finish-equal"):
        said = [c["finish_reason"] for one in parts for c in one["choices"]]
        expect_equal([one for one in said if one], ["length"], "why the whole answer ended")


def ended(reply: Reply) -> str:
    """Why an answer ended."""
    return str(reply.require(200).at("/choices/0/finish_reason"))


def tools(context: ScenarioContext, reader: Reader) -> None:
    """Tools that must not be called, or one at a time."""
    asked = {"messages": [{"role": "user", "content": WEATHER}], "tools": [TOOL, CLOCK]}
    with context.check("text/tools/none"):
        said = reader.chat(**asked, tool_choice="none", max_tokens=300).require(200)
        calls = said.at("/choices/0/message").get("tool_calls")
        expect(not calls, "no tool is called", None, calls)
    with context.check("text/tools/one"):
        choice = {"tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 400}
        said = reader.chat(**asked, **choice).require(200)
        calls = said.at("/choices/0/message").get("tool_calls") or []
        expect_equal(len(calls), 1, "one call")


@scenario("text/messages-by-value", reads_only=True)
def messages_by_value(context: ScenarioContext) -> None:
    """Messages: counts, memory, stops, streams."""
    reader = Reader(context, offered(context))
    whole = reader.message(max_tokens=64)
    if whole.status in (404, 405, 501):
        raise Inapplicable("the server has no endpoints in Anthropic's form")
    with context.check("text/messages/limit"):
        short = reader.message(max_tokens=3).require(200)
        told = (short.at("/stop_reason"), short.at("/usage/output_tokens"))
        if whole.require(200).at("/usage/output_tokens") <= 3:
            raise Inapplicable("the answer is shorter than its limit")
        expect_equal(told, ("max_tokens", 3), "cut off by its limit")
    with context.check("text/messages/history"):
        sizes = [reader.counted(messages=asked) for asked in (HELLO, TALK[1:], TALK)]
        sizes.append(reader.counted(messages=TALK, system=SYSTEM["content"]))
        expect(sizes == sorted(set(sizes)), "all that was said is read", "growing", sizes)
    with context.check("text/messages/stop-sequence"):
        text = "".join(block.get("text", "") for block in whole.require(200).at("/content"))
        if len(text) < 8:
            raise Inapplicable("the answer has no text to stop at")
        stop = text[len(text) // 2 :][:2]
        cut = reader.message(max_tokens=64, stop_sequences=[stop]).require(200)
        said = "".join(block.get("text", "") for block in cut.at("/content"))
        found = (cut.at("/stop_reason"), cut.at("/stop_sequence"), said)
        expect_equal(found, ("stop_sequence", stop, text[: text.index(stop)]), "cut before it")
    with context.check("text/messages/cache-misses"):
        strange = hashlib.sha512(str(time.time()).encode()).hexdigest()
        new_one = reader.message(messages=[{"role": "user", "content": strange}], max_tokens=1)
        known = new_one.require(200).at("/usage").get("cache_read_input_tokens") or 0
        expect(known < prompt_size(new_one) / 2, "what was never sent is not known", "few", known)
    with context.check("text/messages/stream-equal"):
        events = chunks(reader.message(max_tokens=64, stream=True).require(200))
        last = next(one for one in events if one["type"] == "message_delta")
        told = (last["delta"]["stop_reason"], last["usage"]["output_tokens"])
        whole = whole.require(200)
        expected = (whole.at("/stop_reason"), whole.at("/usage/output_tokens"))
        expect_equal(told, expected, "the end of the whole message")


@scenario("text/trained")
def trained(context: ScenarioContext) -> None:
    """A checkpoint's path is a model of its own."""
    base = Reader(context, offered(context))
    model, words = context.model(), list(range(11, 19))
    for _ in range(4):
        number = context.number(model)
        context.submit("forward_backward", bodies.train(model, number, [bodies.datum(*words)]))
        context.submit("optim_step", bodies.optim(model, context.number(model), 0.01)).result()
    body = bodies.save_sampler(model, context.number(model), path="as-text")
    path = str(context.submit("save_weights_for_sampler", body).result().at("/path"))
    context.delete_checkpoint_later(path)
    with context.check("text/openai/checkpoint"):
        ask = {"prompt": words[:3], "max_tokens": 5}
        tried = Reader(context, path).complete(**ask)
        if tried.status in (400, 404, 422):
            raise Inapplicable("paths of checkpoints are no models of the text endpoints here")
        expect(text_of(tried) != text_of(base.complete(**ask)), "trained weights answer", "", "")
