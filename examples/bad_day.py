"""A bad day on purpose: what a training loop sees when the service is throttled and slow.

tinker-mock run --scenario flaky-network --clock auto -- python bad_day.py
"""

import os

import httpx
import tinker
from tinker import types

service = tinker.ServiceClient()
trainer = service.create_lora_training_client(base_model="Qwen/Qwen3-8B", rank=8).result()
inputs = {"target_tokens": [2, 3, 4], "weights": [1.0, 1.0, 1.0]}
data = [types.Datum(model_input=types.ModelInput.from_ints([1, 2, 3]), loss_fn_inputs=inputs)]
for step in range(5):
    loss = trainer.forward_backward(data, "cross_entropy")
    trainer.optim_step(types.AdamParams(learning_rate=1e-4)).result()
    print(f"step {step}: loss {loss.result().metrics['loss:sum']:.2f}")

mock = os.environ["TINKER_BASE_URL"] + "/_mock"
hindered = httpx.get(f"{mock}/journal/count", params={"verdict": "fault"}).json()["count"]
(model,) = httpx.get(f"{mock}/models").json()["models"]
print("hindered:", hindered > 0, "- optimizer steps that were done:", model["steps"])
