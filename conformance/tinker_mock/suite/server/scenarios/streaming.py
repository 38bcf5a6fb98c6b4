"""stream_sample: one event a token, the finish reason in the last one."""

from typing import Any

import orjson

from tinker_mock.suite.core import bodies
from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.scenario import scenario
from tinker_mock.suite.core.verdict import Unmet, expect, expect_equal


def events(reply: Reply) -> list[dict[str, Any]]:
    """The JSON data of each server-sent event; Unmet for anything else in the stream."""
    found = []
    for block in reply.text.replace("\r\n", "\n").split("\n\n"):
        data = [line[5:].strip() for line in block.split("\n") if line.startswith("data:")]
        if data:
            try:
                found.append(dict(orjson.loads("\n".join(data))))
            except (orjson.JSONDecodeError, TypeError, ValueError) as error:
                raise Unmet("each event carries a JSON object", "JSON", block) from error
    return found


@scenario(
    "streaming/sample",
    "streaming/content-type",
    "streaming/events/json",
    "streaming/events/one-a-token",
    "streaming/events/index",
    "streaming/finish/last",
    "streaming/finish/once",
    "streaming/finish/total",
    "streaming/equal-asample",
    "streaming/refusal/status",
    "streaming/refusal/json",
)
def stream(stage: Stage) -> None:
    """A sample token by token."""
    sampler = stage.sampler()
    body = bodies.sample(sampler, 0, max_tokens=6, seed=5)
    names = ("sampling_session_id", "seq_id", "prompt", "sampling_params", "num_samples")
    ask = {name: body[name] for name in names}
    headers = {"accept": "text/event-stream"}
    reply = stage.hands.call("stream_sample", ask, headers=headers)
    with stage.check("streaming/content-type"):
        expect_equal(reply.require(200).media_type, "text/event-stream", "a stream of events")
    with stage.check("streaming/events/json"):
        expect(events(reply.require(200)), "events", "at least one", reply.text)
    told = events(reply.require(200))
    tokens = [one for one in told if one.get("token_id") is not None]
    with stage.check("streaming/events/one-a-token"):
        expect(tokens and len(tokens) <= 6, "one event a token", "1..6", len(tokens))
    with stage.check("streaming/events/index"):
        indices = [one.get("index") for one in tokens]
        expect(all(isinstance(index, int) for index in indices), "an index each", "int", indices)
    finished = [one for one in told if one.get("finish_reason") is not None]
    with stage.check("streaming/finish/last"):
        expect(
            told[-1].get("finish_reason") in ("stop", "length"), "the last ends it", "", told[-1]
        )
    with stage.check("streaming/finish/once"):
        expect_equal(len(finished), 1, "one end")
    with stage.check("streaming/finish/total"):
        total = told[-1].get("total_tokens", len(tokens))
        expect_equal(total, len(tokens), "total_tokens counts the tokens")
    with stage.check("streaming/equal-asample"):
        whole = stage.submit("asample", {**body, "seq_id": 1}).result()
        expect_equal([one["token_id"] for one in tokens], whole.at("/sequences/0/tokens"), "equal")
    lost = stage.hands.call(
        "stream_sample", {**ask, "sampling_session_id": "none"}, headers=headers
    )
    with stage.check("streaming/refusal/status"):
        expect(400 <= lost.status < 500, "refused before the stream begins", "4xx", lost.status)
    with stage.check("streaming/refusal/json"):
        expect_equal(lost.media_type, "application/json", "a refusal is JSON")
