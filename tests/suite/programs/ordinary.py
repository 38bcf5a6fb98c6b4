"""What programs ordinarily do with the official SDK, any release: judged by the client audit.

The situation decides how much of it is done: everything on a healthy server, samples where samples
are refused.
"""

import asyncio
import os
import sys

import tinker
from tinker import types

MODEL = os.environ["TINKER_MOCK_MODEL"]
PROMPT = types.ModelInput.from_ints(tokens=list(range(20, 30)))
PARAMS = types.SamplingParams(max_tokens=4, temperature=1.0)


def datum(tokens, weighted=True):
    count = len(tokens) - 1
    inputs = {"target_tokens": tensor(tokens[1:], "int64")}
    if weighted:
        inputs["weights"] = tensor([1.0] * count, "float32")
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens=tokens[:-1]), loss_fn_inputs=inputs
    )


def tensor(values, kind):
    return types.TensorData(data=list(values), dtype=kind, shape=[len(values)])


def policy():
    inputs = {
        "target_tokens": tensor(range(21, 26), "int64"),
        "logprobs": tensor([-2.0] * 5, "float32"),
        "advantages": tensor([1.0, -1.0, 0.5, 0.0, 2.0], "float32"),
    }
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens=list(range(20, 25))), loss_fn_inputs=inputs
    )


def step(client, data, loss="cross_entropy"):
    passed = client.forward_backward(data, loss)
    stepped = client.optim_step(types.AdamParams(learning_rate=1e-4))
    passed.result()
    stepped.result()


def written(client):
    """A loss of one's own, in torch."""

    def loss(data, logprobs):
        total = sum((values**2).sum() for values in logprobs)
        return total, {"squares": float(total)}

    passed = client.forward_backward_custom([datum(list(range(20, 40)))] * 2, loss)
    stepped = client.optim_step(types.AdamParams(learning_rate=1e-4))
    passed.result()
    stepped.result()


async def stepped(client):
    """Two steps by awaiting."""
    for _ in range(2):
        passed = await client.forward_backward_async(
            [datum(list(range(20, 40)))] * 4, "cross_entropy"
        )
        update = await client.optim_step_async(types.AdamParams(learning_rate=1e-4))
        await passed
        await update


def train(service):
    client = service.create_lora_training_client(base_model=MODEL, rank=8)
    step(client, [datum(list(range(20, 40)))])
    if "bare" in sys.argv[1:]:
        step(client, [datum(list(range(20, 40)), weighted=False)] * 2)
    if "large" in sys.argv[1:]:
        step(client, [datum(list(range(100, 4100)))] * 24)
    if "custom" in sys.argv[1:]:
        written(client)
    if "async" in sys.argv[1:]:
        asyncio.run(stepped(client))
    step(client, [policy()] * 3, "importance_sampling")
    client.forward([datum(list(range(20, 30)))], "cross_entropy").result()
    return client


def sample(client):
    sampler = client.save_weights_and_get_sampling_client(name="ordinary")
    asked = [sampler.sample(PROMPT, num_samples=1, sampling_params=PARAMS) for _ in range(4)]
    for one in asked:
        one.result()

    async def together():
        calls = (
            sampler.sample_async(PROMPT, num_samples=1, sampling_params=PARAMS) for _ in range(4)
        )
        await asyncio.gather(*calls)

    asyncio.run(together())


def main():
    service = tinker.ServiceClient()
    sample(train(service))
    if hasattr(service, "close"):
        service.close("success").result()


if __name__ == "__main__":
    main()
    # The threads of several releases sometimes abort an interpreter as it ends: all is said by now.
    sys.stdout.flush()
    os._exit(0)
