"""What a client asks for: numbers, data, polls."""

from itertools import pairwise
from typing import Any

from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import expect, expect_equal

MAX_DATA = 1024


def by_owner(exchanges: list[RecordedExchange], name: str) -> dict[str, list[RecordedExchange]]:
    """Accepted exchanges by the value of a body field."""
    groups: dict[str, list[RecordedExchange]] = {}
    for one in exchanges:
        if one.ok and one.body.get(name):
            groups.setdefault(str(one.body[name]), []).append(one)
    return groups


def data_of(traffic: Traffic) -> list[dict[str, Any]]:
    """Every datum that was sent."""
    found: list[dict[str, Any]] = []
    for one in traffic.of("forward", "forward_backward"):
        work = one.body.get("forward_backward_input") or one.body.get("forward_input") or {}
        found += work.get("data") or []
    need(found, "no training data was sent")
    return found


@judges("client/order/contiguous")
def contiguous(traffic: Traffic) -> None:
    lanes = by_owner(traffic.ordered, "model_id")
    need(lanes, "no model was trained")
    for model, lane in lanes.items():
        numbers = sorted({int(one.body.get("seq_id") or 0) for one in lane})
        want = list(range(numbers[0], numbers[0] + len(numbers)))
        expect_equal(numbers, want, f"{model}: numbers without gaps")


@judges("client/order/from-one")
def from_one(traffic: Traffic) -> None:
    lanes = by_owner(traffic.ordered, "model_id")
    need(lanes, "no model was trained")
    firsts = {min(int(one.body.get("seq_id") or 0) for one in lane) for lane in lanes.values()}
    expect_equal(firsts, {1}, "each model's first operation has seq_id 1")


@judges("client/order/unique")
def unique(traffic: Traffic) -> None:
    lanes = by_owner(traffic.ordered, "model_id")
    need(lanes, "no model was trained")
    for lane in lanes.values():
        numbers = [one.body.get("seq_id") for one in lane]
        expect_equal(len(numbers), len(set(numbers)), "no number is used for two operations")


@judges("client/order/model-numbers")
def model_numbers(traffic: Traffic) -> None:
    sessions = by_owner(traffic.of("create_model"), "session_id")
    need(sessions, "no model was made")
    for made in sessions.values():
        numbers = [int(one.body["model_seq_id"]) for one in made]
        expect_equal(len(set(numbers)), len(numbers), "each model has its own model_seq_id")
        expect_equal(min(numbers), 0, "counted from 0")


@judges("client/order/sampler-numbers")
def sampler_numbers(traffic: Traffic) -> None:
    made = traffic.of("create_sampling_session", "save_weights_for_sampler")
    numbers = [
        (one.body.get("session_id"), one.body["sampling_session_seq_id"])
        for one in made
        if one.ok and one.body.get("sampling_session_seq_id") is not None
    ]
    need(numbers, "no sampling session was made")
    expect_equal(len(set(numbers)), len(numbers), "each has its own sampling_session_seq_id")


@judges("client/order/sample-numbers")
def sample_numbers(traffic: Traffic) -> None:
    samplers = by_owner(traffic.of("asample"), "sampling_session_id")
    need(samplers, "nothing was sampled")
    for drawn in samplers.values():
        numbers = [one.body.get("seq_id") for one in drawn]
        expect_equal(len(set(numbers)), len(numbers), "each sample has its own seq_id")


@judges("client/chunks/data-limit")
def data_limit(traffic: Traffic) -> None:
    data_of(traffic)
    for one in traffic.of("forward", "forward_backward"):
        work = one.body.get("forward_backward_input") or one.body.get("forward_input") or {}
        count = len(work.get("data") or ())
        expect(count <= MAX_DATA, "at most 1024 data a request", MAX_DATA, count)


@judges("client/chunks/not-empty")
def not_empty(traffic: Traffic) -> None:
    data_of(traffic)
    for one in traffic.of("forward", "forward_backward"):
        work = one.body.get("forward_backward_input") or one.body.get("forward_input") or {}
        expect(work.get("data"), "a request has data", "at least one", one.body)


@judges("client/data/target-length")
def target_length(traffic: Traffic) -> None:
    for datum in data_of(traffic):
        chunks = datum["model_input"]["chunks"]
        length = sum(len(chunk.get("tokens") or ()) for chunk in chunks)
        length += sum(int(chunk.get("expected_tokens") or 0) for chunk in chunks)
        targets = datum["loss_fn_inputs"].get("target_tokens") or {}
        shape = targets.get("shape") or [len(targets.get("data") or ())]
        expect_equal(shape[0], length, "target_tokens is as long as the input")


@judges("client/data/dtypes")
def dtypes(traffic: Traffic) -> None:
    want = {"target_tokens": "int64", "weights": "float32", "logprobs": "float32",
            "advantages": "float32"}  # fmt: skip
    for datum in data_of(traffic):
        for name, field in datum["loss_fn_inputs"].items():
            expect_equal(field.get("dtype"), want.get(name, field.get("dtype")), f"{name}: dtype")


@judges("client/data/shape")
def shape(traffic: Traffic) -> None:
    for datum in data_of(traffic):
        for name, field in datum["loss_fn_inputs"].items():
            size = 1
            for side in field.get("shape") or [len(field["data"])]:
                size *= side
            if "sparse_crow_indices" not in field:
                expect_equal(len(field["data"]), size, f"{name}: shape and data agree")


@judges("client/poll/every-promise")
def every_promise(traffic: Traffic) -> None:
    promised = {one.answer.get("request_id") for one in traffic.submits if one.ok} - {None}
    need(promised, "no promise was made")
    asked = {one.body.get("request_id") for one in traffic.polls}
    watched = traffic.of("retrieve_futures")
    expect(promised <= asked or watched, "every promise is asked for", "all", promised - asked)


@judges("client/poll/known-ids")
def known_ids(traffic: Traffic) -> None:
    need(traffic.polls, "nothing was polled")
    promised = {one.answer.get("request_id") for one in traffic.submits}
    strange = {one.body.get("request_id") for one in traffic.polls} - promised
    expect(not strange, "only promises that were made are asked for", "known ids", strange)


@judges("client/poll/accept")
def poll_accept(traffic: Traffic) -> None:
    need(traffic.release >= 25, "releases before 0.25 may ask for JSON")
    binary = results_of(traffic, "forward", "forward_backward", "asample")
    need(binary, "no such result was polled")
    plain = [one.headers.get("accept") for one in binary if "protobuf" not in one.headers["accept"]]
    expect(not plain, "results that are messages are asked for as such", "protobuf", plain[:3])


@judges("client/poll/decodable")
def poll_decodable(traffic: Traffic) -> None:
    binary = results_of(traffic, "forward", "forward_backward", "asample")
    need(binary, "no such result was polled")
    got = {str(one.entry.get("response_type")).partition(";")[0] for one in binary if one.ok}
    fine = all(any(kind in one.headers["accept"] for kind in got) for one in binary if one.ok)
    expect(fine, "results come in a form that was accepted", "accepted forms", got)


def results_of(traffic: Traffic, *operations: str) -> list[RecordedExchange]:
    """Polls of promises of these operations."""
    ids = {one.answer.get("request_id") for one in traffic.of(*operations)} - {None}
    return [one for one in traffic.polls if one.body.get("request_id") in ids]


@judges("client/poll/request-type")
def request_type(traffic: Traffic) -> None:
    need(traffic.polls, "nothing was polled")
    bare = [one for one in traffic.polls if not one.headers.get("x-tinker-request-type")]
    expect(not bare, "polls tell what they wait for", "X-Tinker-Request-Type", len(bare))


@judges("client/poll/iteration", "pending")
def iteration(traffic: Traffic) -> None:
    need(traffic.polls, "nothing was polled")
    for request, polls in polls_by_id(traffic).items():
        counts = [one.headers.get("x-tinker-request-iteration") for one in polls]
        want = [str(number) for number in range(len(polls))]
        expect_equal(counts, want, f"{request}: polls count themselves")


def polls_by_id(traffic: Traffic) -> dict[str, list[RecordedExchange]]:
    """Polls in order, by the promise they ask for."""
    groups: dict[str, list[RecordedExchange]] = {}
    for one in traffic.polls:
        groups.setdefault(str(one.body.get("request_id")), []).append(one)
    return groups


@judges("client/poll/not-after-result")
def not_after_result(traffic: Traffic) -> None:
    need(traffic.polls, "nothing was polled")
    for request, polls in polls_by_id(traffic).items():
        done = [n for n, one in enumerate(polls) if one.ok and not metadata_only(one)]
        expect(not done or done[0] == len(polls) - 1, f"{request}: asked until told", "once", done)


def metadata_only(exchange: RecordedExchange) -> bool:
    """Whether the answer withheld the result."""
    answer = exchange.answer
    return answer.get("status") == "complete_metadata" or answer.get("type") == "try_again"


@judges("client/poll/one-at-a-time")
def one_at_a_time(traffic: Traffic) -> None:
    need(traffic.polls, "nothing was polled")
    for request, polls in polls_by_id(traffic).items():
        overlap = [b.at for a, b in pairwise(polls) if b.at < a.until - 0.001]
        expect(not overlap, f"{request}: one poll at a time", "no overlap", overlap)


@judges("client/sampling/known-session")
def known_session(traffic: Traffic) -> None:
    drawn = traffic.of("asample")
    need(drawn, "nothing was sampled")
    strange = [one.body.get("sampling_session_id") for one in drawn if one.status in (404, 400)]
    expect(not strange, "samples name a sampling session that exists", "known ids", strange)


@judges("client/sampling/max-tokens")
def max_tokens(traffic: Traffic) -> None:
    drawn = traffic.of("asample")
    need(drawn, "nothing was sampled")
    counts = [(one.body.get("sampling_params") or {}).get("max_tokens", 1) for one in drawn]
    expect(all(count is None or count > 0 for count in counts), "max_tokens > 0", "> 0", counts)
