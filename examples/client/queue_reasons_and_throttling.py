"""Fifty samples at once: the client holds back as the server asks, and all come."""

import httpx

from tinker_mock.client import ModelInput, SamplingParams, ServiceClient

with ServiceClient() as service:
    sampling = service.create_sampling_client(base_model="Qwen/Qwen3-8B")
    mock = service.inner.config.base_url
    few = """
summary: A few are refused.
rules:
  - name: throttled
    match: {operation: asample}
    effects: return-429
    times: 2
"""
    httpx.put(f"{mock}/_mock/scenario", json={"yaml": few}).raise_for_status()
    prompt = ModelInput.from_ints([1, 2])
    pending = [
        sampling.sample(prompt, 1, SamplingParams(max_tokens=2, seed=seed)) for seed in range(50)
    ]
    print("samples:", sum(len(one.result().sequences) for one in pending))
