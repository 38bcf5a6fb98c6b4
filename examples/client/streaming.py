"""One sample, token by token."""

from tinker_mock.client import ModelInput, SamplingParams, ServiceClient

with ServiceClient() as service:
    sampling = service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    params = SamplingParams(max_tokens=4, seed=1, stop=[])
    for chunk in sampling.sample_stream(ModelInput.from_ints([100, 101]), params):
        if chunk.token_id is not None:
            print("token", chunk.index)
