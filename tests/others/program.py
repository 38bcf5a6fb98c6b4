"""What every SDK of the protocol is for: train, save, sample. Run with the SDK's own Python.

python program.py SDK
"""

import os
import sys


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
    for _ in range(2):
        step = client.forward_backward([datum], "cross_entropy")
        update = client.optim_step(types.AdamParams(learning_rate=1e-3))
        step.result()
        update.result()
    client.save_state("others").result()
    if not hasattr(client, "save_weights_and_get_sampling_client"):
        print("this SDK samples from deployments of its service, not over this protocol")
        return
    sampler = client.save_weights_and_get_sampling_client()
    params = types.SamplingParams(max_tokens=4, seed=1)
    prompt = types.ModelInput.from_ints(tokens)
    found = sampler.sample(prompt=prompt, num_samples=1, sampling_params=params).result()
    assert found.sequences[0].tokens


if __name__ == "__main__":
    main(sys.argv[1])
