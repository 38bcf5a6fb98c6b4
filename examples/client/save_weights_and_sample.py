"""Sample from the weights as they are now, without naming them."""

from tinker_mock.client import AdamParams, Datum, ModelInput, SamplingParams, ServiceClient

with ServiceClient() as service:
    training = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8, seed=1)
    prompt, answer = [100, 101, 102], [7, 8]
    inputs = {"target_tokens": [101, 102, *answer], "weights": [0.0, 0.0, 1.0, 1.0]}
    data = [Datum(ModelInput.from_ints([*prompt, 7]), inputs)]
    for _ in range(10):
        training.forward_backward(data, "cross_entropy")
        training.optim_step(AdamParams(learning_rate=1e-3))
    sampling = training.save_weights_and_get_sampling_client()
    params = SamplingParams(max_tokens=2, temperature=0.0, stop=[])
    found = sampling.sample(ModelInput.from_ints(prompt), 1, params).result()
    print("it says what it was taught:", list(found.sequences[0].tokens) == answer)
