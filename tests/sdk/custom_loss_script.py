"""Trains with a custom loss handle. Where it runs, here or there, is the server's choice."""

import json

import numpy as np
import tinker
import torch


def clipped(logprobs, old_logprobs, advantages):
    """A PPO-like loss with one metric of each kind."""
    ratio = torch.exp(logprobs - old_logprobs)
    kept = torch.clamp(ratio, 0.8, 1.2)
    objective = torch.minimum(ratio * advantages, kept * advantages)
    metrics = {
        "custom/ratio:mean": ratio.mean(),
        "custom/clipped:sum": (ratio != kept).float().sum(),
    }
    return -objective.sum(), metrics


def datum(tokens, old, advantage):
    count = len(tokens) - 1
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": np.array(tokens[1:]),
            "old_logprobs": np.full(count, old, dtype=np.float32),
            "advantages": np.full(count, advantage, dtype=np.float32),
        },
    )


service = tinker.ServiceClient()
client = service.create_lora_training_client(base_model="Qwen/Qwen3-8B", rank=8).result()
ranks = {"logprobs": 1, "old_logprobs": 1, "advantages": 1}
handle = service.create_custom_loss(clipped, input_ranks=ranks)
handle = handle.result() if hasattr(handle, "result") else handle
data = [datum([11, 12, 13, 14], -8.0, 1.0), datum([21, 22, 23], -9.0, -0.5)]
steps = []
for _ in range(4):
    passed = client.forward_backward_custom(data, handle)
    stepped = client.optim_step(tinker.AdamParams(learning_rate=1e-3, grad_clip_norm=1e12))
    steps.append({**passed.result().metrics, **stepped.result().metrics})
print(json.dumps({"loss_id": handle.loss_id, "steps": steps}), flush=True)
