"""Messages and JSON say the same, field by field."""

from typing import Any

import numpy as np

from tinker_mock.contracts.protobuf import messages
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.promises import PROTOBUF, Promised
from tinker_mock.suite.core.proto import decode_result, encode_forward_backward
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.bench import PLAIN, TEXT, Bench
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.suite.server.scenarios.protobuf import needs_messages
from tinker_mock.suite.server.scenarios.training import loss_of

CLIP = {"clip_low_threshold": 0.9, "clip_high_threshold": 1.05}
BFLOAT16 = 4


def polled(context: ScenarioContext, promised: Promised, accept: str) -> Any:
    """A promise's result in one form, as JSON."""
    operation = promised.operation
    promised.result()
    kind = {"asample": "Sample", "forward_backward": "ForwardBackward"}[operation]
    headers = {"accept": accept, "x-tinker-request-type": kind}
    body = {"request_id": promised.request_id}
    reply = context.client.call("retrieve_future", body, headers=headers).require(200)
    if reply.media_type == PROTOBUF:
        return decode_result(reply.body, operation)
    return reply.json()


def same_numbers(left: Any, right: Any, where: str) -> None:
    """Unmet unless two results are equal; numbers as float32."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in left.keys() | right.keys():
            same_numbers(left.get(name), right.get(name), f"{where}/{name}")
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
        expect_equal(len(left), len(right), f"{where}: equally many")
        for place, (one, other) in enumerate(zip(left, right, strict=True)):
            same_numbers(one, other, f"{where}/{place}")
    elif isinstance(left, int | float) and isinstance(right, int | float):
        fine = abs(float(left) - float(right)) <= 1e-6 * max(1.0, abs(float(left)))
        expect(fine, f"{where} is equal in both forms", left, right)
    else:
        expect_equal(left, right, f"{where} is equal in both forms")


@scenario("protobuf/values")
def values(context: ScenarioContext) -> None:
    """The same promise read in both forms; the same request sent in both."""
    needs_messages(context)
    sampler = context.sampler()
    ask = {"prompt_logprobs": True, "topk_prompt_logprobs": 3, "num_samples": 3}
    free = context.submit("asample", bodies.sample(sampler, 1, max_tokens=8, stop=[])).result()
    stop = free.at("/sequences/0/tokens/3")
    with context.check("protobuf/equal-json/sample"):
        sent = context.submit(
            "asample", bodies.sample(sampler, 2, **ask, max_tokens=8, stop=[stop])
        )
        plain = polled(context, sent, "application/json")
        reasons = {one["stop_reason"] for one in plain["sequences"]}
        expect(reasons <= {"stop", "length"}, "reasons", "stop or length", reasons)
        message = polled(context, sent, PROTOBUF)
        for name in ("sequences", "prompt_logprobs", "topk_prompt_logprobs"):
            same_numbers(plain.get(name), message.get(name), f"/{name}")
        told = ranked(context, sent)
        expect(not any(told), "no ranking that nobody asked for", "none", told)
    bench = Bench(context)
    data = [bodies.datum(*TEXT), bodies.datum(21, 22, 23, weight=0.5)]
    model = context.model(bench.session)
    with context.check("protobuf/equal-json/result"):
        body = bodies.train(model, 1, data)
        sent = posted(context, encode_forward_backward(body))
        plain, message = polled(context, sent, "application/json"), polled(context, sent, PROTOBUF)
        same_numbers(plain, message, "")
    with context.check("protobuf/equal-json/request"):
        want = polled(context, sent, "application/json")
        for index, datum in enumerate(data):
            seen = bench.fresh().look([datum])
            got = want["loss_fn_outputs"][index]["logprobs"]["data"]
            bench.same(np.array(got), seen, "each datum of the message, in its order")
    settings(context, bench)


def ranked(context: ScenarioContext, promised: Promised) -> list[bool]:
    """Which sequences of a message tell the likeliest tokens at each place."""
    headers = {"accept": PROTOBUF, "x-tinker-request-type": "Sample"}
    body = {"request_id": promised.request_id}
    reply = context.client.call("retrieve_future", body, headers=headers).require(200)
    if reply.media_type != PROTOBUF:
        return []
    message = messages.SampleResponse.FromString(reply.body)
    return [one.HasField("topk_sampled_logprobs") for one in message.sequences]


def posted(context: ScenarioContext, content: bytes) -> Promised:
    """A forward_backward message."""
    headers = {"content-type": PROTOBUF}
    reply = context.client.call("forward_backward", headers=headers, content=content)
    return Promised(context, "forward_backward", reply)


def settings(context: ScenarioContext, bench: Bench) -> None:
    """What only messages have: settings of their own form, forward_only, short floats."""
    model = bench.fresh()
    logprobs = model.look([bodies.datum(*TEXT)])
    policy = bodies.policy_datum(*TEXT)
    policy["loss_fn_inputs"]["logprobs"] = bodies.tensor((logprobs - 0.3).tolist())
    with context.check("protobuf/config-v2/value"):
        body = bodies.train(model.model, context.number(model.model), [policy], "ppo", CLIP)
        result = posted(context, encode_forward_backward(body)).result()
        want = -1.05 * len(logprobs)
        fine = bench.tolerance.worst(loss_of(context, result), want, 1.0) <= 1
        expect(fine, "ppo clips where the message says", want, result.value["metrics"])
    with context.check("protobuf/forward-only/effect"):
        trainee = bench.fresh()
        number = context.number(trainee.model)
        body = bodies.forward(trainee.model, number, data=[bodies.datum(*TEXT)])
        posted(context, encode_forward_backward(body, forward_only=True)).result()
        trainee.idle()
        trainee.step(bench.plain, **PLAIN)
        bench.same(trainee.look(), bench.base, "forward_only leaves no gradient")
    with context.check("protobuf/tensors/bfloat16"):
        number = context.number(model.model)
        body = bodies.train(model.model, number, [bodies.datum(*TEXT, weight=1.5)])
        outcome = posted(context, shortened(encode_forward_backward(body))).outcome()
        if outcome.failed:
            raise Inapplicable("bfloat16 tensors are refused")
        want = -1.5 * float(logprobs.sum())
        fine = bench.tolerance.worst(loss_of(context, outcome), want, 1.0) <= 1
        expect(fine, "bfloat16 weights count as the numbers they are", want, outcome.value)


def shortened(content: bytes) -> bytes:
    """The request with its float32 tensors as bfloat16, the upper halves."""
    message = messages.ForwardBackwardRequest.FromString(content)
    for datum in message.data:
        for field in datum.loss_fn_inputs.values():
            if field.dtype == 1:
                halves = (np.frombuffer(field.dense, "<u4") >> 16).astype("<u2")
                field.dense, field.dtype = halves.tobytes(), BFLOAT16
    return bytes(message.SerializeToString())
