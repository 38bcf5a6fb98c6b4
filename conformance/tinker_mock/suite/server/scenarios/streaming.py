"""stream_sample: one event a token, the finish reason in the last one."""

from typing import Any

import orjson

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.verdict import (
    Inapplicable,
    Unmet,
    expect,
    expect_equal,
)
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario


def events(reply: Reply) -> list[dict[str, Any]]:
    """The JSON data of each server-sent event; Unmet for anything else in the stream."""
    try:
        return [dict(orjson.loads(data)) for data in reply.events()]
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise Unmet("each event carries a JSON object", "JSON", reply.text) from error


@scenario("streaming/sample")
def stream(context: ScenarioContext) -> None:
    """A sample token by token."""
    sampler = context.sampler()
    body = bodies.sample(sampler, 0, max_tokens=6, seed=5)
    names = ("sampling_session_id", "seq_id", "prompt", "sampling_params", "num_samples")
    ask = {name: body[name] for name in names}
    headers = {"accept": "text/event-stream"}
    reply = context.client.call("stream_sample", ask, headers=headers)
    if reply.status in (404, 405, 501):
        raise Inapplicable("the server has no stream_sample, which no Python SDK asks for")
    with context.check("streaming/content-type"):
        expect_equal(reply.require(200).media_type, "text/event-stream", "a stream of events")
    with context.check("streaming/events/json"):
        expect(events(reply.require(200)), "events", "at least one", reply.text)
    found = events(reply.require(200))
    tokens = [one for one in found if one.get("token_id") is not None]
    with context.check("streaming/events/one-a-token"):
        expect(tokens and len(tokens) <= 6, "one event a token", "1..6", len(tokens))
    with context.check("streaming/events/index"):
        indices = [one.get("index") for one in tokens]
        expect(all(isinstance(index, int) for index in indices), "an index each", "int", indices)
    finished = [one for one in found if one.get("finish_reason") is not None]
    with context.check("streaming/finish/last"):
        expect(
            found[-1].get("finish_reason") in ("stop", "length"), "the last ends it", "", found[-1]
        )
    with context.check("streaming/finish/once"):
        expect_equal(len(finished), 1, "one end")
    with context.check("streaming/finish/total"):
        total = found[-1].get("total_tokens", len(tokens))
        expect_equal(total, len(tokens), "total_tokens counts the tokens")
    with context.check("streaming/equal-asample"):
        whole = context.submit("asample", {**body, "seq_id": 1}).result()
        expect_equal([one["token_id"] for one in tokens], whole.at("/sequences/0/tokens"), "equal")
    several(context, sampler, ask, headers)
    lost = context.client.call(
        "stream_sample", {**ask, "sampling_session_id": "none"}, headers=headers
    )
    with context.check("streaming/refusal/status"):
        expect(400 <= lost.status < 500, "refused before the stream begins", "4xx", lost.status)
    with context.check("streaming/refusal/json"):
        expect_equal(lost.media_type, "application/json", "a refusal is JSON")


def several(
    context: ScenarioContext, sampler: str, ask: dict[str, Any], headers: dict[str, str]
) -> None:
    """Two longer samples in one stream, each with its own tokens, chances and end."""
    free = bodies.sample(sampler, 4, max_tokens=40, seed=6, stop=[])
    stop = context.submit("asample", free).result().at("/sequences/0/tokens")[20:21]
    body = bodies.sample(sampler, 2, max_tokens=40, seed=6, num_samples=2, stop=stop)
    long = {**ask, **{name: body[name] for name in ask}}
    with context.check("streaming/equal-values"):
        found = events(context.client.call("stream_sample", long, headers=headers).require(200))
        whole = context.submit("asample", {**body, "seq_id": 3}).result().at("/sequences")
        for index, sequence in enumerate(whole):
            own = [one for one in found if one.get("index") == index]
            tokens = [one["token_id"] for one in own if one.get("token_id") is not None]
            expect_equal(tokens, sequence["tokens"], f"the tokens of sample {index}")
            logprobs = [one["logprob"] for one in own if one.get("logprob") is not None]
            context.alike(logprobs, sequence["logprobs"], "the chance of each token")
            ends = [one for one in own if one.get("finish_reason")]
            expect_equal([one["finish_reason"] for one in ends], [sequence["stop_reason"]], "")
            total = ends[0].get("total_tokens", len(tokens))
            expect_equal(total, len(tokens), "total_tokens are those of the sample")
