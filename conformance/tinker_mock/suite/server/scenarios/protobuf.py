"""Protobuf bodies: what releases from 0.25 send and insist on."""

import math
from typing import Any

import numpy as np
import zstandard
from google.protobuf.message import DecodeError

from tinker_mock.contracts.protobuf import messages
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.promises import PROTOBUF, Promised
from tinker_mock.suite.core.proto import decode_output, decode_result, encode_forward_backward
from tinker_mock.suite.core.target import JSON_RELEASE
from tinker_mock.suite.core.verdict import (
    Inapplicable,
    Unmet,
    expect,
    expect_all_close,
    expect_close,
    expect_equal,
    in_order,
)
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.suite.server.scenarios.training import LOSS_SUM

DATA = [bodies.datum(11, 12, 13), bodies.datum(21, 22, 23, 24, 25)]
NEWEST = {"x-stainless-package-version": "0.38.0", "user-agent": "AsyncTinker/Python 0.38.0"}


def needs_messages(context: ScenarioContext) -> None:
    """Go on only if a release of the range sends messages: before 0.25 those that are told to."""
    if context.target.sdk.last <= JSON_RELEASE and not context.flag("proto_write_fwdbwd"):
        raise Inapplicable("these releases send protobuf only where proto_write_fwdbwd asks for it")


def post(
    context: ScenarioContext, content: bytes, wrong: bool = False, encoding: str | None = None
) -> Promised:
    """forward_backward with a binary body, as the newest release sends it."""
    headers = {**NEWEST, "content-type": PROTOBUF}
    if encoding:
        headers["content-encoding"] = encoding
    reply = context.client.call("forward_backward", content=content, headers=headers, wrong=wrong)
    return Promised(context, "forward_backward", reply)


def result(context: ScenarioContext, promised: Promised, accept: str = PROTOBUF) -> Reply:
    """The decided answer for a client that accepts this."""
    promised.outcome()
    body = {"request_id": promised.request_id}
    return context.client.call("retrieve_future", body, headers={**NEWEST, "accept": accept})


def parsed(reply: Reply, kind: Any) -> Any:
    """The message in a binary answer; Unmet if it is not one."""
    expect_equal(reply.require(200).media_type, PROTOBUF, "a protobuf answer")
    try:
        return kind.FromString(reply.body)
    except DecodeError as error:
        raise Unmet("the body decodes", kind.DESCRIPTOR.name, str(error)) from error


def outputs(context: ScenarioContext, promised: Promised) -> Any:
    """What a pass gave for each datum."""
    return decode_output(parsed(result(context, promised), messages.ForwardBackwardOutput))[
        "loss_fn_outputs"
    ]


def numbers(found: Any) -> list[float]:
    """The log-probabilities of all data, end to end."""
    return [float(value) for one in found for value in one["logprobs"]["data"]]


@scenario("protobuf/training")
def training(context: ScenarioContext) -> None:
    """Training data and results as messages."""
    needs_messages(context)
    model = context.model()
    promised = post(context, encode_forward_backward(bodies.train(model, 1, DATA)))
    with context.check("protobuf/forward-backward/accepted"):
        expect(promised.request_id, "a request id", "string", promised.reply.text)
    reply = result(context, promised)
    with context.check("protobuf/forward-backward/binary-result"):
        parsed(reply, messages.ForwardBackwardOutput)
    message = parsed(reply, messages.ForwardBackwardOutput)
    output = decode_result(reply.body, "forward_backward")
    with context.check("protobuf/output/one-per-datum"):
        expect_equal(len(output["loss_fn_outputs"]), 2, "one output for each datum")
    judge_record(context, message)
    with context.check("protobuf/output/loss-sum"):
        if "loss:sum" not in output["metrics"] and context.target.sdk.last < LOSS_SUM:
            raise Inapplicable(f"loss:sum is asked for by releases from 0.{LOSS_SUM} on")
        values = [one["logprobs"]["data"] for one in output["loss_fn_outputs"]]
        loss = -sum(value for row in values for value in row)
        expect_close(output["metrics"].get("loss:sum", math.nan), loss, 1e-3 * loss, "loss:sum")
    with context.check("protobuf/output/metric-names"):
        wrong = [name for name in output["metrics"] if name.count(":") != 1]
        expect(not wrong, "metrics are named name:reduction", "one colon", wrong)
    with context.check("protobuf/forward-backward/json-result"):
        plain = result(context, promised, "application/json").require(200)
        expect_equal(plain.media_type, "application/json", "JSON for who asks for JSON")
    with context.check("protobuf/output/equal-json"):
        plain = result(context, promised, "application/json").require(200)
        left = plain.at("/loss_fn_outputs/1/logprobs/data")
        right = output["loss_fn_outputs"][1]["logprobs"]["data"]
        expect_all_close(left, right, 1e-6, "both forms have the same numbers")
    forward_only(context, model, output)


def judge_record(context: ScenarioContext, message: Any) -> None:
    """The encoding rules that the SDK's decoder enforces."""
    records = message.loss_fn_outputs
    with context.check("protobuf/output/offsets"):
        for record in records:
            for name, batch in record.fields.items():
                count = len(batch.offsets) // 8
                ends = memoryview(batch.offsets).cast("q").tolist() if count else []
                fine = ends[:1] == [0] and ends[-1] == len(batch.data) and ends == sorted(ends)
                expect(fine, f"{name}: offsets span the data", len(batch.data), ends)
                expect_equal(count, record.num_datums + 1, "one offset more than data")
    with context.check("protobuf/output/dtype"):
        kinds = {batch.dtype for record in records for batch in record.fields.values()}
        expect(kinds and kinds <= {1, 2, 3, 4}, "a known dtype", "1..4", kinds)
    with context.check("protobuf/output/type"):
        expect(message.loss_fn_output_type, "the type of the outputs is named", "a string")


def forward_only(context: ScenarioContext, model: str, before: dict[str, Any]) -> None:
    """forward_only runs no backward pass."""
    twin = context.model()
    content = encode_forward_backward(bodies.forward(twin, 1, data=DATA), forward_only=True)
    looked = post(context, content)
    with context.check("protobuf/forward-only/no-gradient"):
        reply = result(context, looked)
        seen = decode_output(parsed(reply, messages.ForwardBackwardOutput))
        context.submit("optim_step", bodies.optim(twin, 2, 0.1)).result()
        again = post(context, encode_forward_backward(bodies.forward(twin, 3, data=DATA), True))
        after = decode_output(parsed(result(context, again), messages.ForwardBackwardOutput))
        now, then = numbers(after["loss_fn_outputs"]), numbers(seen["loss_fn_outputs"])
        context.alike(now, then, "no gradient, no change")
    with context.check("protobuf/seq-id/ordered"):
        later = post(context, encode_forward_backward(bodies.train(model, 3, DATA)))
        context.submit("optim_step", bodies.optim(model, 2)).result()
        output = decode_output(parsed(result(context, later), messages.ForwardBackwardOutput))
        changed = output["loss_fn_outputs"] != before["loss_fn_outputs"]
        with in_order():
            expect(changed, "seq 3 runs after the step of seq 2", "other numbers")


@scenario("protobuf/bodies")
def binary_bodies(context: ScenarioContext) -> None:
    """Compressed, broken and unusual messages."""
    needs_messages(context)
    model = context.model()
    content = encode_forward_backward(bodies.train(model, 1, DATA))
    with context.check("protobuf/zstd/accepted"):
        packed = zstandard.ZstdCompressor().compress(content)
        told = outputs(context, post(context, packed, encoding="zstd"))
        plain = outputs(
            context, post(context, encode_forward_backward(bodies.train(model, 2, DATA)))
        )
        context.alike(numbers(told), numbers(plain), "as it runs uncompressed")
    with context.check("protobuf/zstd/garbage"):
        reply = post(context, b"\x28\xb5\x2f\xfdgarbage", wrong=True, encoding="zstd").reply
        expect(400 <= reply.status < 500, "refused", "4xx", reply.status)
    broken = post(context, b"\xff\xff\xff\xff\x0f\x01", wrong=True).reply
    with context.check("protobuf/malformed/refused"):
        expect(400 <= broken.status < 500, "refused", "4xx", broken.status)
    with context.check("protobuf/malformed/never-5xx"):
        expect(broken.status < 500, "the user's fault is not the server's", "4xx", broken.status)
    with context.check("protobuf/truncated/never-5xx"):
        cut = post(context, content[: len(content) // 2], wrong=True).reply
        expect(cut.status < 500, "the user's fault is not the server's", "4xx", cut.status)
    with context.check("protobuf/config-v2/accepted"):
        config = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
        body = bodies.train(model, 3, [bodies.policy_datum()], "ppo", config)
        expect(
            not post(context, encode_forward_backward(body)).outcome().failed, "it runs", "result"
        )
    with context.check("protobuf/sparse/accepted"):
        post(context, sparse(model, 4)).result()
    bare = bodies.datum()
    del bare["loss_fn_inputs"]["target_tokens"]
    outcome = post(context, encode_forward_backward(bodies.train(model, 5, [bare])), True).outcome()
    with context.check("protobuf/missing-targets/final"):
        expect(outcome.failed and outcome.reply.status < 500, "final", "4xx", outcome.reply.status)
    with context.check("protobuf/missing-targets/json-error"):
        if not outcome.failed:
            raise Inapplicable("nothing is refused (protobuf/missing-targets/final says so)")
        if outcome.reply.status >= 500:
            raise Inapplicable("no error was meant (protobuf/missing-targets/final says so)")
        expect_equal(outcome.reply.media_type, "application/json", "errors are JSON")


def sparse(model: str, seq_id: int) -> bytes:
    """A request whose weights are a CSR matrix."""
    weights = {
        **bodies.tensor([1.0, 0.5], shape=[2, 1]),
        "sparse_crow_indices": [0, 1, 2],
        "sparse_col_indices": [0, 0],
    }
    targets = bodies.tensor([12, 13], "int64", [2, 1])
    data = [bodies.datum(11, 12, 13, target_tokens=targets, weights=weights)]
    return encode_forward_backward(bodies.train(model, seq_id, data))


@scenario("protobuf/sampling")
def sampling(context: ScenarioContext) -> None:
    """Samples as messages, with the extras that only messages carry."""
    with context.check("protobuf/optim/json-result"):
        step = context.submit("optim_step", bodies.optim(context.model(), 1))
        step.result()
        expect_equal(step.poll().media_type, "application/json", "other results are JSON")
    sampler = trained_sampler(context)
    ask: dict[str, Any] = {"max_tokens": 4, "prompt_logprobs": True}
    ranked = context.submit("asample", bodies.sample(sampler, 0, topk_prompt_logprobs=2, **ask))
    taken = ranked.reply.status < 300
    said = result(context, ranked, "application/json") if taken else ranked.reply
    plain, promised = said, ranked
    if said.status >= 300:  # the ranking is an extra: it must not cost the rest
        promised = context.submit("asample", bodies.sample(sampler, 40, **ask))
        plain = result(context, promised, "application/json")
    with context.check("protobuf/sample/json-result"):
        expect_equal(plain.require(200).media_type, "application/json", "JSON on request")
    reply = result(context, promised)
    if context.target.sdk.last <= JSON_RELEASE and reply.media_type == "application/json":
        raise Inapplicable("these releases take JSON as well")
    with context.check("protobuf/sample/binary-result"):
        parsed(reply, messages.SampleResponse)
    message = parsed(reply, messages.SampleResponse)
    judge_sequence(context, message.sequences[0])
    with context.check("protobuf/sample/prompt-logprobs"):
        expect_equal(len(message.prompt_logprobs), 4 * len(bodies.TOKENS), "float32 a token")
    with context.check("protobuf/sample/first-nan"):
        first = decode_result(reply.body, "asample")["prompt_logprobs"][0]
        expect_equal(first, None, "NaN where there is none")
    with context.check("protobuf/sample/topk"):
        said.require()
        top = message.topk_prompt_logprobs
        expect_equal((top.length, top.k), (len(bodies.TOKENS), 2), "length and k")
        expect_equal(len(top.token_ids), 4 * top.length * top.k, "int32 each")
    with context.check("protobuf/sample/equal-json"):
        left = decode_result(reply.body, "asample")["sequences"][0]["tokens"]
        expect_equal(left, plain.at("/sequences/0/tokens"), "both forms have the same tokens")
    extras(context, sampler)


def trained_sampler(context: ScenarioContext) -> str:
    """A sampler whose numbers depend on the context of each token."""
    session = context.session()
    model = context.model(session)
    context.submit("forward_backward", bodies.train(model, 1)).result()
    context.submit("optim_step", bodies.optim(model, 2, 2e-4)).result()
    number = context.next_sampler(session)
    body = bodies.save_sampler(model, 3, sampling_session_seq_id=number)
    made = context.submit("save_weights_for_sampler", body).result()
    return str(made.at("/sampling_session_id"))


def judge_sequence(context: ScenarioContext, sequence: Any) -> None:
    """One sampled sequence."""
    with context.check("protobuf/sample/tokens"):
        tokens = memoryview(sequence.tokens).cast("i").tolist()
        expect(tokens and min(tokens) >= 0, "int32 tokens", "ids", tokens)
    with context.check("protobuf/sample/logprobs"):
        values = memoryview(sequence.logprobs).cast("f").tolist()
        fine = len(values) == len(sequence.tokens) // 4 and all(v <= 1e-6 for v in values)
        expect(fine, "float32 log-probabilities, one a token", "<= 0", values)
    with context.check("protobuf/sample/stop-reason"):
        expect(sequence.stop_reason in (0, 1), "stop or length", "0 or 1", sequence.stop_reason)


def extras(context: ScenarioContext, sampler: str) -> None:
    """Fields that came with 0.29 to 0.33; the SDK raises when they are not honoured."""
    count = len(bodies.TOKENS)

    def ask(seq_id: int, **fields: Any) -> Any:
        promised = context.submit("asample", bodies.sample(sampler, seq_id, max_tokens=2, **fields))
        return parsed(result(context, promised), messages.SampleResponse)

    def whole(prompt: Any = None) -> list[float]:
        """prompt_logprobs of a text, the suite's own by default."""
        text = prompt or bodies.text(*bodies.TOKENS)
        message = ask(next(further), prompt=text, prompt_logprobs=True)
        return [float(v) for v in memoryview(message.prompt_logprobs).cast("f").tolist()]

    further = iter(range(50, 100))
    if context.applies("protobuf/sample/last-n"):
        with context.check("protobuf/sample/last-n"):
            message = ask(1, prompt_logprobs=True, prompt_logprobs_last_n=2)
            values = memoryview(message.prompt_logprobs).cast("f").tolist()
            expect_equal(len(values), count, "full length")
            numbers = [value == value for value in values]
            expect_equal(numbers, [False] * (count - 2) + [True] * 2, "NaN before the last two")
            context.alike(values[-2:], whole()[-2:], "the same numbers as in the whole")
    if context.applies("protobuf/sample/alternatives"):
        with context.check("protobuf/sample/alternatives"):
            message = ask(2, prompt_logprobs=True, prompt_alt_tokens_k=3)
            shape = list(message.prompt_alt_tokens.tokens.shape)
            expect_equal(shape, [count - 1, 3], "[prompt - 1, k]")
            drawn = np.frombuffer(message.prompt_alt_tokens.tokens.dense, "<i8").reshape(shape)
            told = np.frombuffer(message.prompt_alt_tokens.logprobs.dense, "<f4").reshape(shape)
            for place in (1, 4):
                text = bodies.text(*bodies.TOKENS[:place], int(drawn[place - 1][2]))
                last = whole(text)[-1]
                context.alike([told[place - 1][2]], [last], "each alternative's own")
    if context.applies("protobuf/sample/alternatives-drawn"):
        with context.check("protobuf/sample/alternatives-drawn"):
            fields = {"prompt_alt_tokens_k": 16, "prompt_logprobs": True, "temperature": 2.0}
            table = ask(5, **fields).prompt_alt_tokens.tokens
            expect_equal(list(table.shape), [count - 1, 16], "[prompt - 1, k]")
            rows = np.frombuffer(table.dense, "<i8").reshape(count - 1, 16)
            several = max(len(set(row.tolist())) for row in rows)
            expect(
                several > 1, "sixteen draws at temperature 2 are not all one token", "> 1", several
            )
    if context.applies("protobuf/sample/targets"):
        with context.check("protobuf/sample/targets"):
            own = [token for one in bodies.TOKENS[1:] for token in (one, 12)]
            targets = bodies.tensor(own, "int64", [count - 1, 2])
            message = ask(3, prompt_logprobs=True, target_prompt_logprobs=targets)
            expect(message.HasField("target_prompt_logprobs"), "target_prompt_logprobs", "present")
            told = np.frombuffer(message.target_prompt_logprobs.dense, "<f4").reshape(-1, 2)
            context.alike(told[:, 0].tolist(), whole()[1:], "as the prompt's own tokens")
            expect_all_close([told[0, 0]], [told[0, 1]], 1e-6, "equal targets, equal numbers")
    if context.applies("protobuf/sample/topk-sampled"):
        with context.check("protobuf/sample/topk-sampled"):
            message = ask(4, topk_sample_logprobs=2)
            expect_equal(message.sequences[0].topk_sampled_logprobs.k, 2, "k alternatives a token")
