"""A training loop with the real SDK, run by its interpreter: 8 data of 128 tokens a step.

Prints a JSON line when it is warm. For each round it waits for a line, trains, and prints the wall
seconds of each step. Arguments: base model, steps, rounds. TINKER_BASE_URL and TINKER_API_KEY say
where.
"""

import json
import random
import sys
import time
from typing import Any

import tinker
from tinker import types

BASE, STEPS, ROUNDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
WARM = 5


def zipf(chance: random.Random) -> int:
    """A token with the frequencies of language."""
    return min(int(chance.paretovariate(0.2)) - 1, 1_000_000) % 150_000


def datum(number: int) -> types.Datum:
    chance = random.Random(number)
    tokens = [zipf(chance) for _ in range(129)]
    inputs = {
        "target_tokens": types.TensorData(data=tokens[1:], dtype="int64", shape=[128]),
        "weights": types.TensorData(data=[1.0] * 128, dtype="float32", shape=[128]),
    }
    given = types.ModelInput.from_ints(tokens[:-1])
    return types.Datum(model_input=given, loss_fn_inputs=inputs)


def main() -> None:
    data = [datum(number) for number in range(8)]
    service = tinker.ServiceClient()
    client: Any = service.create_lora_training_client(base_model=BASE, rank=8)
    if not hasattr(type(client), "optim_step"):
        client = client.result()  # newer releases give a future

    def step() -> float:
        begun = time.perf_counter()
        loss = client.forward_backward(data, "cross_entropy")
        update = client.optim_step(types.AdamParams(learning_rate=1e-4))
        loss.result()
        update.result()
        return time.perf_counter() - begun

    for _ in range(WARM):
        step()
    print(json.dumps({"ready": True}), flush=True)
    for _ in range(ROUNDS):
        sys.stdin.readline()
        print(json.dumps([step() for _ in range(STEPS)]), flush=True)


if __name__ == "__main__":
    main()
