"""Three steps on one sentence: the loss falls, and the weights are saved for sampling."""

from tinker_mock.client import AdamParams, Datum, ModelInput, ServiceClient

with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8, seed=1)
    tokens = training.encode("Fine-tuning sample text for Tinker")
    targets, weights = tokens[1:], [1.0] * (len(tokens) - 1)
    data = [Datum.of(ModelInput.from_ints(tokens[:-1]), target_tokens=targets, weights=weights)]
    losses = []
    for _ in range(3):
        passed = training.forward_backward(data, "cross_entropy")  # both are on their way
        stepped = training.optim_step(AdamParams(learning_rate=1e-3))  # before the first ends
        losses.append(passed.result().metrics["loss:sum"])
        stepped.result()
    print("the loss falls:", losses == sorted(losses, reverse=True))
    print("saved:", training.save_weights_for_sampler("loop").result().path.split("/", 3)[3])
