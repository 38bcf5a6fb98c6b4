"""A program on the official SDK, any release, that reports what it understood.

Its arguments are faults of a client, planted between the SDK and the report: what a client with
that fault would have sent, or handed to its user.
"""

import json
import os
import struct
import sys

import tinker
from tinker import types

MODEL = os.environ["TINKER_MOCK_MODEL"]
FAULTS = sys.argv[1:]
PARAMS = {"max_tokens": 6, "temperature": 1.0}
MANY = 1030
"""More than go into one request."""


def report(value, **told):
    with open(os.environ["TINKER_MOCK_REPORT"], "a", encoding="utf-8") as file:
        print(json.dumps({"value": value, **told}), file=file)


def garbled(numbers):
    if "garbled" not in FAULTS:
        return numbers
    return list(struct.unpack(f">{len(numbers)}f", struct.pack(f"<{len(numbers)}f", *numbers)))


def tensor(values, kind):
    return types.TensorData(data=list(values), dtype=kind, shape=[len(values)])


def datum(tokens):
    targets = tokens[1:]
    sent = [*targets[1:], 0] if "shifted" in FAULTS else targets
    inputs = {
        "target_tokens": tensor(sent, "int64"),
        "weights": tensor([1.0] * len(targets), "float32"),
    }
    given = types.ModelInput.from_ints(tokens=tokens[:-1])
    return types.Datum(model_input=given, loss_fn_inputs=inputs), targets


def train(client):
    for data in ([datum(list(range(20, 40)))], [datum([n % 90 + 10, 7, 9]) for n in range(MANY)]):
        report("sent", data=[targets for _, targets in data])
        result = client.forward_backward([one for one, _ in data], "cross_entropy").result()
        outputs = [[float(v) for v in one["logprobs"].data] for one in result.loss_fn_outputs]
        if "chunks" in FAULTS and len(outputs) > 1024:
            outputs = outputs[1024:] + outputs[:1024]
        report("logprobs", data=[garbled(one) for one in outputs])
        loss = result.metrics["loss:sum"]
        report("loss", sum=loss / 2 if "averaged" in FAULTS and len(data) > 1024 else loss)


def sample(sampler):
    prompt = types.ModelInput.from_ints(tokens=list(range(20, 30)))
    for seed, most in ((5, 6), (6, 400)):
        params = types.SamplingParams(max_tokens=most, temperature=1.0, seed=seed)
        found = sampler.sample(prompt, num_samples=3, sampling_params=params).result().sequences
        reasons = [str(one.stop_reason) for one in found]
        if "swapped" in FAULTS:
            reasons = [{"stop": "length", "length": "stop"}[reason] for reason in reasons]
        if "lost" in FAULTS:
            found, reasons = found[:-1], reasons[:-1]
        tokens = [list(one.tokens) for one in found]
        logprobs = [garbled([float(v) for v in one.logprobs or ()]) for one in found]
        report("sample", seed=seed, tokens=tokens, logprobs=logprobs, stop_reasons=reasons)


def scored(sampler):
    prompt = types.ModelInput.from_ints(tokens=list(range(20, 30)))
    params = types.SamplingParams(max_tokens=1, seed=7)
    options = {"num_samples": 1, "sampling_params": params, "include_prompt_logprobs": True}
    found = list(sampler.sample(prompt, **options).result().prompt_logprobs)
    if "unaligned" in FAULTS:
        found = [*found[1:], None]
    report("prompt_logprobs", seed=7, logprobs=found)


def listen(client):
    def told(state, reason=None):
        report("queue", says=f"{getattr(state, 'name', state)}: {reason}")

    # Where a release tells of queues differs.
    for one in (client, getattr(client, "_queue_state_logger", None)):
        if one is not None:
            one.on_queue_state_change = told


def main():
    service = tinker.ServiceClient()
    client = service.create_lora_training_client(base_model=MODEL, rank=8)
    if hasattr(client, "result"):  # newer releases give a future of the client
        client = client.result()
    if "deaf" not in FAULTS:
        listen(client)
    train(client)
    sampler = client.save_weights_and_get_sampling_client(name="reporting")
    sample(sampler)
    scored(sampler)
    if hasattr(service, "close"):
        service.close("success").result()


if __name__ == "__main__":
    main()
    # The threads of several releases sometimes abort an interpreter as it ends: all is said by now.
    sys.stdout.flush()
    os._exit(0)
