"""A user of the real SDK who trains and samples; a line of output a step.

python restart_client.py URL STEPS
"""

import json
import sys

import tinker
from tinker import types

URL, STEPS = sys.argv[1], int(sys.argv[2])
TOKENS = [9707, 11, 1879, 0, 358, 1079, 264, 2613, 1614, 429, 15804, 553, 38561, 13, 151645]


def datum():
    shape = [len(TOKENS) - 1]
    return types.Datum(
        model_input=types.ModelInput.from_ints(TOKENS[:-1]),
        loss_fn_inputs={
            "target_tokens": types.TensorData(data=TOKENS[1:], dtype="int64", shape=shape),
            "weights": types.TensorData(data=[1.0] * shape[0], dtype="float32", shape=shape),
        },
    )


service = tinker.ServiceClient(base_url=URL, api_key="tml-restart")
client = service.create_lora_training_client(base_model="Qwen/Qwen3-8B", rank=8, seed=1)
prompt = types.ModelInput.from_ints(TOKENS[:5])
for step in range(STEPS):
    trained = client.forward_backward([datum()], "cross_entropy")
    updated = client.optim_step(types.AdamParams(learning_rate=1e-3))
    loss = trained.result(timeout=300).metrics["loss:sum"]
    updated.result(timeout=300)
    sampler = client.save_weights_and_get_sampling_client(name=f"step-{step}")
    asked = sampler.sample(prompt, 1, types.SamplingParams(max_tokens=6, seed=step))
    tokens = list(asked.result(timeout=300).sequences[0].tokens)
    print(json.dumps({"step": step, "loss": loss, "tokens": tokens}), flush=True)
