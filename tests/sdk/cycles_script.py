"""Trains twice, waiting for each result and submitting first; prints the cycles of the passes."""

import json
from itertools import pairwise

import tinker
from tinker import types

service = tinker.ServiceClient()
client = service.create_lora_training_client(base_model="Qwen/Qwen3-8B", rank=8)
client = client.result() if not hasattr(client, "forward_backward") else client


def tensor(values, dtype):
    return types.TensorData(data=values, dtype=dtype, shape=[len(values)])


datum = types.Datum(
    model_input=types.ModelInput.from_ints([11, 12, 13]),
    loss_fn_inputs={
        "target_tokens": tensor([12, 13, 14], "int64"),
        "weights": tensor([1.0, 1.0, 1.0], "float32"),
    },
)


def cycles(wait):
    found = []
    for _ in range(3):
        passed = client.forward_backward([datum], "cross_entropy")
        if wait:
            passed.result()
        stepped = client.optim_step(types.AdamParams(learning_rate=1e-4))
        found.append(passed.result().metrics["clock_cycle:unique"])
        stepped.result()
    return [later - earlier for earlier, later in pairwise(found)]


print(json.dumps({"waiting": cycles(True), "pipelined": cycles(False)}), flush=True)
