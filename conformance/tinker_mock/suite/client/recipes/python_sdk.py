"""A program for the audit that uses the Python SDK of any release."""

import os
import sys

import tinker
from tinker import types


def main() -> None:
    """One model, two steps, a sampler, a sample."""
    service = tinker.ServiceClient()
    training = service.create_lora_training_client(
        base_model=os.environ["TINKER_MOCK_MODEL"], rank=8
    )
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
        step = training.forward_backward([datum], "cross_entropy")
        update = training.optim_step(types.AdamParams(learning_rate=1e-3))
        step.result()
        update.result()
    sampler = training.save_weights_and_get_sampling_client(name="audited")
    params = types.SamplingParams(max_tokens=4, seed=1)
    prompt = types.ModelInput.from_ints(tokens)
    sampled = sampler.sample(prompt=prompt, num_samples=1, sampling_params=params).result()
    assert sampled.sequences[0].tokens is not None
    if hasattr(service, "close"):
        service.close("success").result()


if __name__ == "__main__":
    main()
    # The threads of several releases sometimes abort an interpreter as it ends: all is said by now.
    sys.stdout.flush()
    os._exit(0)
