"""Hear when the server's queue pauses this client, and when it goes on."""

import httpx

from tinker_mock.client import AdamParams, Datum, ModelInput, ServiceClient

with ServiceClient() as service:
    seen = []
    training = service.create_lora_training_client(
        "Qwen/Qwen3-8B", rank=8, observer=lambda state, reason: seen.append(state.value)
    )
    mock = service.inner.config.base_url
    busy = """
summary: Busy for a moment.
rules:
  - name: busy
    match: {operation: retrieve_future}
    effects: try-again-capacity
    times: 1
"""
    httpx.put(f"{mock}/_mock/scenario", json={"yaml": busy}).raise_for_status()
    data = [Datum.of(ModelInput.from_ints([1]), target_tokens=[2], weights=[1.0])]
    training.forward_backward(data, "cross_entropy").result()
    training.optim_step(AdamParams(1e-4)).result()
    print(*seen)
