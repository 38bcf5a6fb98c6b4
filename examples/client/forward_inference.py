"""Log-probabilities of given tokens, as numpy arrays: a pass without gradients."""

from tinker_mock.client import Datum, ModelInput, ServiceClient

with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8)
    tokens = training.encode("Hello from forward inference!")
    weights = [1.0] * (len(tokens) - 1)
    datum = Datum.of(ModelInput.from_ints(tokens[:-1]), target_tokens=tokens[1:], weights=weights)
    output = training.forward([datum], "cross_entropy").result()
    logprobs = output.loss_fn_outputs[0]["logprobs"].to_numpy()
    print("one a target:", logprobs.shape == (len(tokens) - 1,))
    print("their sum is the loss:", abs(logprobs.sum() + output.metrics["loss:sum"]) < 1e-3)
