"""Whether a client keeps the limits that client/config names."""

from typing import Any

from tinker_mock.suite.client.checks.calls import asked, nothing_else, ordered, told
from tinker_mock.suite.client.fields import fields_of
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import expect, expect_equal


def setting(traffic: Traffic, name: str) -> Any:
    """What the server's configuration said; Inapplicable for a client that never asked for it."""
    told_by = traffic.of("get_client_config")
    need(told_by, "client/config was not asked for")
    return told_by[-1].answer.get(name)


@judges("client/limits/chunk-length", "small")
def chunk_length(traffic: Traffic) -> None:
    need(traffic.release >= 25 or not traffic.release, "older than 0.25")
    most = int(setting(traffic, "fwdbwd_max_chunk_len"))
    passes = traffic.of("forward", "forward_backward")
    need(passes, "no training data was sent")
    counts = [len(fields_of(one).get("data") or ()) for one in passes]
    expect(max(counts) <= most, "a request has as many data as the server takes", most, counts)


@judges("client/limits/chunk-bytes", "small")
def chunk_bytes(traffic: Traffic) -> None:
    need(traffic.release >= 25 or not traffic.release, "older than 0.25")
    most = int(setting(traffic, "fwdbwd_max_chunk_bytes_count"))
    passes = [fields_of(one).get("data") or () for one in traffic.of("forward", "forward_backward")]
    need(any(passes), "no training data was sent")
    sizes = [sum(map(size_of, data)) for data in passes if len(data) > 1]
    wrong = [size for size in sizes if size > most]
    expect(not wrong, "a request of several data is as large as the server takes", most, wrong)


def size_of(datum: dict[str, Any]) -> int:
    """Bytes that a datum takes at least: 4 a token, and a tensor's values."""
    chunks = datum["model_input"]["chunks"]
    tokens = sum(len(chunk.get("tokens") or ()) for chunk in chunks)
    width = {"int64": 8, "float32": 4}
    inputs = datum["loss_fn_inputs"].values()
    return 4 * tokens + sum(len(one["data"]) * width.get(one.get("dtype"), 4) for one in inputs)


@judges("client/limits/samples", "small")
def samples(traffic: Traffic) -> None:
    need(traffic.release >= 25 or not traffic.release, "older than 0.25")
    most = int(setting(traffic, "sample_max_concurrent_requests"))
    need(not traffic.of("retrieve_futures"), "results are waited for together")
    drawn = traffic.of("asample")
    need(drawn, "nothing was sampled")
    sessions = {str(one.body.get("sampling_session_id")) for one in drawn}
    for session in sessions:
        own = [one for one in drawn if str(one.body.get("sampling_session_id")) == session]
        count = in_flight(traffic, own)
        expect(count <= most, "so many samples are asked for at a time", f"<= {most}", count)


def in_flight(traffic: Traffic, drawn: list[RecordedExchange]) -> int:
    """How many samples were asked for and not yet told at the busiest moment."""
    spans = [(one.at, told_at(traffic, one)) for one in drawn]
    return max(sum(begin <= at < end for begin, end in spans) for at, _ in spans)


def told_at(traffic: Traffic, submitted: RecordedExchange) -> float:
    """When the result of a promise was given."""
    promise = submitted.answer.get("request_id")
    polls = [one.until for one in traffic.polls if one.body.get("request_id") == promise and one.ok]
    return max(polls, default=submitted.until)


@judges("client/small/succeeds", "small")
def succeeds(traffic: Traffic) -> None:
    message = f"the program gets on with small limits: {traffic.output[-300:]}"
    expect_equal(traffic.exit_code, 0, message)


judges("client/small/asked", "small")(asked)
judges("client/small/told", "small")(told)
judges("client/small/order", "small")(ordered)
judges("client/small/nothing-else", "small")(nothing_else)
