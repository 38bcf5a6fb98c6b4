"""A user of the real SDK, told over stdin which server to train on; prints what it saw.

One process serves many scenarios, because importing the SDK takes longer than a run.
"""

import json
import sys

import tinker
from tinker import types

MODEL = "Qwen/Qwen3-8B"
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


def outcome(work):
    """{"value": …} or {"error": class, "message": text}: what the SDK's user sees."""
    try:
        return {"value": work()}
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error)[:300]}


def sample(future):
    return [list(sequence.tokens) for sequence in future.result(timeout=300).sequences]


def train(client, rounds):
    """Submit every round first, then collect: operations are in flight together."""
    futures = []
    for _ in range(rounds):
        futures.append(("step", client.forward_backward([datum()], "cross_entropy")))
        futures.append(("update", client.optim_step(types.AdamParams(learning_rate=1e-3))))
    seen = []
    for kind, future in futures:
        if kind == "step":
            seen.append(outcome(lambda f=future: f.result(timeout=300).metrics["loss:sum"]))
        else:
            seen.append(outcome(lambda f=future: f.result(timeout=300) and "updated"))
    return seen


def live(url, key, rounds, samples):
    service = tinker.ServiceClient(base_url=url, api_key=key)
    base = service.create_sampling_client(base_model=MODEL)
    client = service.create_lora_training_client(base_model=MODEL, rank=8)
    prompt = types.ModelInput.from_ints(TOKENS[:5])
    asked = [
        base.sample(prompt, 1, types.SamplingParams(max_tokens=6, seed=seed))
        for seed in range(samples)
    ]
    trained = train(client, rounds)
    return {"training": trained, "samples": [outcome(lambda f=f: sample(f)) for f in asked]}


for line in sys.stdin:
    told = json.loads(line)
    seen = outcome(lambda told=told: live(**told))
    print(json.dumps({"seen": seen, "version": tinker.__version__}), flush=True)
