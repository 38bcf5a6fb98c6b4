"""The whole way from a session to losses and samples, in the first generation's JSON."""

import json
from typing import Any

import httpx
import pytest

from tests.client.conftest import MODEL, SESSION, ScriptedServer, config, numbered, promised
from tinker_mock.client import (
    AdamParams,
    AsyncServiceClient,
    Datum,
    ManualClock,
    ModelInput,
    SamplingParams,
    ServiceClient,
)

pytestmark = pytest.mark.anyio


def a_datum(length: int = 3) -> Datum:
    tokens = list(range(length))
    return Datum.of(ModelInput.from_ints(tokens), target_tokens=tokens, weights=[1.0] * length)


def forward_output(count: int = 1, loss: float = 1.5) -> dict[str, Any]:
    tensor = {"data": [-0.5] * 3, "dtype": "float32", "shape": [3]}
    outputs = [{"logprobs": tensor} for _ in range(count)]
    return {
        "loss_fn_output_type": "CrossEntropyLossReturn",
        "loss_fn_outputs": outputs,
        "metrics": {"loss:sum": loss},
    }


def a_training_server(**more: Any) -> ScriptedServer:
    results = {
        "create": {"model_id": "s:train:0", "type": "create_model"},
        "fb-1": forward_output(),
        "optim-2": {"metrics": {"grad_norm": 0.25}, "type": "optim_step"},
        "save-3": {"path": "tinker://s:train:0/weights/one", "type": "save_weights"},
    }
    answers = {
        **MODEL,
        "forward_backward": numbered("fb"),
        "optim_step": numbered("optim"),
        "save_weights": numbered("save"),
        "retrieve_future": promised(results),
    }
    return ScriptedServer({**answers, **more})


async def test_a_training_step_is_submitted_in_order_and_polled(clock: ManualClock) -> None:
    server = a_training_server()
    async with AsyncServiceClient(config(), http=server, clock=ManualClock()) as service:
        training = await service.create_lora_training_client("base", rank=8)
        step = training.forward_backward([a_datum()], "cross_entropy")
        update = training.optim_step(AdamParams(learning_rate=1e-3))
        saved = training.save_state("one")

        assert (await step).metrics == {"loss:sum": 1.5}
        assert (await step).loss_fn_outputs[0]["logprobs"].data == [-0.5] * 3
        assert (await update).metrics == {"grad_norm": 0.25}
        assert (await saved).path == "tinker://s:train:0/weights/one"

    submissions = [p for p in server.paths() if p in ("forward_backward", "optim_step")]
    assert submissions == ["forward_backward", "optim_step"]
    assert server.bodies("forward_backward")[0]["seq_id"] == 1
    assert server.bodies("optim_step")[0] == {
        "adam_params": {"learning_rate": 1e-3},
        "model_id": "s:train:0",
        "seq_id": 2,
    }


async def test_sampling_gives_tokens_and_prompt_logprobs() -> None:
    result = {
        "sequences": [{"tokens": [7, 8], "logprobs": [-0.1, -0.2], "stop_reason": "stop"}],
        "prompt_logprobs": [None, -0.3],
        "type": "sample",
    }
    server = ScriptedServer(
        {
            **SESSION,
            "create_sampling_session": {"sampling_session_id": "s:sample:0"},
            "asample": {"request_id": "r"},
            "retrieve_future": result,
        }
    )
    async with AsyncServiceClient(config(), http=server, clock=ManualClock()) as service:
        sampling = await service.create_sampling_client(base_model="base")
        prompt = ModelInput.from_ints([1, 2])
        response = await sampling.sample(prompt, 1, SamplingParams(max_tokens=5))
        assert response.sequences[0].tokens == [7, 8]
        assert response.sequences[0].stop_reason == "stop"
        assert await sampling.compute_logprobs(prompt) == [None, -0.3]
    first, second = server.bodies("asample")
    assert (first["seq_id"], second["seq_id"]) == (0, 1)
    assert second["prompt_logprobs"] is True
    polls = [r for r in server.requests if r.url.path.endswith("retrieve_future")]
    assert polls[-1].headers["x-tinker-request-type"] == "Sample"


def test_the_blocking_client_does_the_same_without_await() -> None:
    server = a_training_server()
    with ServiceClient(config(), http=server) as service:
        training = service.create_lora_training_client("base")
        step = training.forward_backward([a_datum()], "cross_entropy")
        update = training.optim_step()
        assert step.result(timeout=60).metrics == {"loss:sum": 1.5}
        assert update.result(timeout=60).metrics == {"grad_norm": 0.25}


async def test_a_server_with_client_config_gets_protobuf() -> None:
    from tinker_mock.contracts.protobuf import messages

    seen: list[Any] = []

    def accept(request: httpx.Request) -> dict[str, Any]:
        message = messages.ForwardBackwardRequest()
        message.ParseFromString(request.content)
        seen.append(message)
        return {"request_id": f"fb-{message.seq_id}"}

    output = messages.ForwardBackwardOutput(loss_fn_output_type="module:CrossEntropyLossReturn")
    record = output.loss_fn_outputs.add(num_datums=1)
    record.fields["logprobs"].data = b"\x00\x00\x00\xbf" * 3
    record.fields["logprobs"].offsets = (0).to_bytes(8, "little") + (12).to_bytes(8, "little")
    record.fields["logprobs"].dtype = messages.DTYPE_FLOAT32
    output.metrics["loss:sum"] = 2.0
    protobuf = httpx.Response(
        200,
        content=output.SerializeToString(),
        headers={"content-type": "application/x-protobuf"},
    )
    server = a_training_server(
        **{
            "client/config": {},
            "client/dynamic_config": {},
            "forward_backward": accept,
            "retrieve_future": lambda request: (
                protobuf
                if json.loads(request.content)["request_id"] == "fb-1"
                else {"model_id": "s:train:0", "type": "create_model"}
            ),
        }
    )
    async with AsyncServiceClient(config("python-latest"), http=server) as service:
        training = await service.create_lora_training_client("base")
        result = await training.forward([a_datum()], "cross_entropy")
    assert result.loss_fn_output_type == "CrossEntropyLossReturn"
    assert result.loss_fn_outputs[0]["logprobs"].to_numpy().tolist() == [-0.5] * 3
    assert result.metrics == {"loss:sum": 2.0}
    assert seen[0].forward_only is True
    assert seen[0].loss_fn == "cross_entropy"
    assert [t.dtype for t in seen[0].data[0].loss_fn_inputs.values()]
