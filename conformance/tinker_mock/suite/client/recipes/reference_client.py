"""A program for the audit that uses this project's reference client."""

import os

from tinker_mock.client import AdamParams, Datum, ModelInput, SamplingParams, ServiceClient


def main() -> None:
    """One model, two steps, a sampler, a sample."""
    tokens = [11, 12, 13, 14, 15]
    datum = Datum.of(ModelInput.from_ints(tokens[:-1]), target_tokens=tokens[1:], weights=[1.0] * 4)
    with ServiceClient() as service:
        training = service.create_lora_training_client(os.environ["TINKER_MOCK_MODEL"], rank=8)
        for _ in range(2):
            step = training.forward_backward([datum], "cross_entropy")
            update = training.optim_step(AdamParams(learning_rate=1e-3))
            step.result()
            update.result()
        sampler = training.save_weights_and_get_sampling_client("audited")
        params = SamplingParams(max_tokens=4, seed=1)
        sampled = sampler.sample(ModelInput.from_ints(tokens), 1, params).result()
        assert sampled.sequences[0].tokens


if __name__ == "__main__":
    main()
