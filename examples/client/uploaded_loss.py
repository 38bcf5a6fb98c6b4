"""A loss traced once, which the server runs where it can: no forward pass of your own."""

from tinker_mock.client import AdamParams, Datum, ModelInput, ServiceClient
from tinker_mock.client.losses.arrays import array_namespace


def clipped(logprobs, old_logprobs, advantages):
    xp = array_namespace(logprobs)
    ratio = xp.exp(logprobs - old_logprobs)
    gain = xp.minimum(ratio * advantages, xp.clip(ratio, 0.8, 1.2) * advantages)
    return -gain.sum(), {"custom/ratio:mean": ratio.mean()}


with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8, seed=1)
    ranks = {"logprobs": 1, "old_logprobs": 1, "advantages": 1}
    handle = service.create_custom_loss(clipped, ranks)
    prompt = ModelInput.from_ints([5, 6])
    plain = Datum.of(prompt, target_tokens=[6, 7], weights=[1.0, 1.0])
    old = training.forward([plain], "cross_entropy").result().loss_fn_outputs[0]["logprobs"]
    inputs = {
        "target_tokens": [6, 7],
        "old_logprobs": old,
        "advantages": plain.loss_fn_inputs["weights"],
    }
    passed = training.forward_backward_custom([Datum(prompt, inputs)], handle)
    training.optim_step(AdamParams(learning_rate=1e-4)).result()
    print("reads:", ", ".join(handle.input_names))
    print("at first the ratio is one:", round(passed.result().metrics["custom/ratio:mean"], 3))
