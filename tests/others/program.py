"""What every SDK of the protocol is for: train, save, sample. Run with the SDK's own Python.

python program.py SDK
"""

import json
import os
import sys

LINES = []
"""The report: what each call was to say, and what it was told."""


def asked(operation, **meant):
    """A line for a call that is made now."""
    LINES.append({"value": "call", "operation": operation, "asked": meant})
    return LINES[-1]


def write_report():
    """Say it, where somebody wants to know."""
    if path := os.environ.get("TINKER_MOCK_REPORT"):
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in LINES)


def fireworks():
    """fireworks-ai[training-sdk]: a fork of its own, whose plain clients speak the wire."""
    from fireworks.training import tinker

    told = {"api_key": os.environ["TINKER_API_KEY"], "base_url": os.environ["TINKER_BASE_URL"]}
    return tinker.ServiceClient, tinker, told


def mindlab():
    """mindlab-toolkit: the official SDK with patches."""
    import mint

    return mint.ServiceClient, mint.types, {}


def baseten():
    """baseten-loops-tinker: a package called tinker."""
    import tinker

    return tinker.ServiceClient, tinker.types, {"base_url": os.environ["TINKER_BASE_URL"]}


SDKS = {"fireworks": fireworks, "mindlab": mindlab, "baseten": baseten}


def main(name):
    service_client, types, options = SDKS[name]()
    service = service_client(**options)
    client = service.create_lora_training_client(base_model=os.environ["TINKER_MOCK_MODEL"], rank=8)
    tokens = [11, 12, 13, 14, 15]
    shape = [len(tokens) - 1]
    datum = types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": types.TensorData(data=tokens[1:], dtype="int64", shape=shape),
            "weights": types.TensorData(data=[1.0] * shape[0], dtype="float32", shape=shape),
        },
    )
    meant = {
        "model_input": {"chunks": [{"tokens": tokens[:-1]}]},
        "loss_fn_inputs": {
            "target_tokens": {"data": tokens[1:], "dtype": "int64"},
            "weights": {"data": [1.0] * shape[0], "dtype": "float32"},
        },
    }
    for rate in (1e-3, 5e-4):
        line = asked("forward_backward", data=[meant], loss_fn="cross_entropy")
        step = client.forward_backward([datum], "cross_entropy")
        asked("optim_step", adam_params={"learning_rate": rate})
        update = client.optim_step(types.AdamParams(learning_rate=rate))
        outputs = step.result().loss_fn_outputs
        values = [list(map(float, one["logprobs"].tolist())) for one in outputs]
        line["told"] = {"loss_fn_outputs": [{"logprobs": {"data": one}} for one in values]}
        update.result()
    line = asked("save_weights", path="others")
    line["told"] = {"path": client.save_state("others").result().path}
    if not hasattr(client, "save_weights_and_get_sampling_client"):
        print("this SDK samples from deployments of its service, not over this protocol")
        return
    asked("save_weights_for_sampler")
    sampler = client.save_weights_and_get_sampling_client()
    params = types.SamplingParams(max_tokens=4, seed=1)
    prompt = types.ModelInput.from_ints(tokens)
    settings = {"max_tokens": 4, "seed": 1}
    chunks = {"chunks": [{"tokens": tokens}]}
    line = asked("asample", prompt=chunks, num_samples=1, sampling_params=settings)
    found = sampler.sample(prompt=prompt, num_samples=1, sampling_params=params).result()
    sequences = [
        {"tokens": list(one.tokens), "logprobs": list(one.logprobs)} for one in found.sequences
    ]
    line["told"] = {"sequences": sequences}
    assert found.sequences[0].tokens


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    finally:
        write_report()
