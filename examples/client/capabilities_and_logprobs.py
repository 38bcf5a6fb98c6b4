"""What a server offers, whether it is well, and log-probabilities of a prompt."""

from tinker_mock.client import ModelInput, ServiceClient

with ServiceClient() as service:
    print("health:", service.health())
    names = service.get_server_capabilities().model_names
    print("Qwen/Qwen3-8B is on offer:", "Qwen/Qwen3-8B" in names)
    sampling = service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    logprobs = sampling.compute_logprobs(ModelInput.from_ints([1, 2, 3])).result()
    print("the first has none:", logprobs[0] is None, len(logprobs))
