"""A loss of your own: computed here, its gradient taken here, applied on the server."""

import math

from tinker_mock.client import AdamParams, Datum, ModelInput, ServiceClient


def loss(data, logprobs):
    mean = -sum(row.mean() for row in logprobs) / len(logprobs)
    return mean, {"perplexity": math.exp(float(mean))}


with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8, seed=1)
    data = [
        Datum.of(ModelInput.from_ints([n, n + 1]), target_tokens=[n + 1, n + 2]) for n in (100, 200)
    ]
    seen = []
    for _ in range(3):
        passed = training.forward_backward_custom(data, loss)
        training.optim_step(AdamParams(learning_rate=1e-3))
        seen.append(passed.result().metrics["perplexity"])
    print("the perplexity falls:", seen == sorted(seen, reverse=True))
