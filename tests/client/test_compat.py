"""This client under the name `tinker`: a program of the SDK runs on it unchanged."""

import os
import subprocess
import sys

from tinker_mock.client import compat
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

PROGRAM = """
import asyncio, pickle
import tinker
from tinker import types
assert tinker.types is types and "tinker_mock" in tinker.ServiceClient.__module__

service = tinker.ServiceClient(user_metadata={"who": "me"}, project_id=None)
future = service.create_lora_training_client("Qwen/Qwen3-8B", 8, 1)
assert isinstance(future, tinker.TrainingClient) and isinstance(future, tinker.APIFuture)
assert future.model_id == future.result().model_id     # the future is also the client
training = future.result()
datum = types.Datum(
    model_input=types.ModelInput.from_ints([5, 6, 7]),
    loss_fn_inputs={"target_tokens": [6, 7, 8], "weights": [1.0, 1.0, 1.0]},
)
losses = []
for _ in range(3):
    passed = training.forward_backward([datum], "cross_entropy")
    stepped = training.optim_step(types.AdamParams(learning_rate=1e-2))
    losses.append(passed.result().metrics["loss:sum"])
    assert isinstance(stepped.result(), tinker.OptimStepResponse)
assert losses == sorted(losses, reverse=True) and losses[0] > losses[-1], losses


seeded = types.SamplingParams(max_tokens=3, seed=1)


async def asynchronous():
    client = await service.create_lora_training_client(base_model="Qwen/Qwen3-8B", rank=4)
    handed = await client.forward_backward_async([datum], "cross_entropy")
    first = await handed.result_async()
    second = await client.forward([datum], "cross_entropy")
    assert first.metrics["loss:sum"] == second.metrics["loss:sum"]
    sampling = await service.create_sampling_client_async(base_model="Qwen/Qwen3-8B")
    task = asyncio.create_task(
        sampling.sample(datum.model_input, 1, seeded).coroutine()
    )
    return (await task).sequences[0].tokens


tokens = asyncio.run(asynchronous())
sampling = service.create_sampling_client(None, "Qwen/Qwen3-8B")      # model_path comes first
again = sampling.sample(datum.model_input, 1, types.SamplingParams(max_tokens=3, seed=1))
assert list(again.result().sequences[0].tokens_np) == list(tokens)
clone = pickle.loads(pickle.dumps(sampling.result()))
assert type(clone) is tinker.SamplingClient
rest = service.create_rest_client()
saved = training.save_state("kept").result()
run = rest.get_training_run(training.model_id).result()
assert run.base_model == "Qwen/Qwen3-8B"
assert types.ParsedCheckpointTinkerPath.from_tinker_path(saved.path).checkpoint_id == "weights/kept"
try:
    rest.get_training_run("no-such-run").result()
except tinker.NotFoundError as error:
    assert isinstance(error, tinker.APIStatusError) and error.status_code == 404
try:
    sampling.sample(datum.model_input, 1, types.SamplingParams(top_p=3.0)).result()
except tinker.UnprocessableEntityError as error:  # refused by the server, not here
    assert "top_p" in str(error)
service.close("success", detail="done").result()
print("all of it")
"""


def test_a_program_of_the_sdk_runs_unchanged() -> None:
    with RunningServer(Settings(port=0)) as server:
        environment = {
            **os.environ,
            "PYTHONPATH": str(compat.path()),
            "TINKER_BASE_URL": server.url,
            "TINKER_API_KEY": "tml-compat",
        }
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.stdout == "all of it\n", done.stderr


def test_it_says_where_it_is() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tinker_mock.client.compat"], capture_output=True, text=True
    )
    assert done.stdout.strip() == str(compat.path())
    assert (compat.path() / "tinker.py").exists()


def test_everything_it_promises_is_there() -> None:
    for module in (compat, compat.types):
        missing = [name for name in module.__all__ if not hasattr(module, name)]
        assert not missing
