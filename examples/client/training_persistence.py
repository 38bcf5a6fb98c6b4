"""Saved with the optimiser, training goes on bit for bit, in a new client or in another one."""

from tinker_mock.client import AdamParams, Datum, ModelInput, ServiceClient

with ServiceClient() as service:
    data = [Datum.of(ModelInput.from_ints([5, 6]), target_tokens=[6, 7], weights=[1.0, 1.0])]
    first = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8, seed=1)

    def step(client):
        client.forward_backward(data, "cross_entropy")
        client.optim_step(AdamParams(learning_rate=1e-3))
        return client.forward(data, "cross_entropy").result().metrics["loss:sum"]

    step(first)
    path = first.save_state("kept").result().path
    went_on = step(first)
    again = service.create_training_client_from_state_with_optimizer(path)
    print("a new client goes on alike:", step(again) == went_on)
    other = service.create_lora_training_client("Qwen/Qwen3-8B", rank=8, seed=2)
    other.load_state_with_optimizer(path).result()
    print("a loaded one too:", step(other) == went_on)
    fresh = service.create_training_client_from_state(path)
    print("without the optimiser it does not:", step(fresh) != went_on)
