"""Training: what each operation sends, and what its answers mean."""

import json
from typing import Any

import numpy as np
import pytest

from tests.client.conftest import ScriptedServer
from tests.client.opened import MODEL, SAMPLER, service, training
from tinker_mock.client import (
    Category,
    Datum,
    ModelInput,
    SaveWeightsForSamplerResponse,
    TensorData,
    TinkerError,
    ValidationError,
)
from tinker_mock.client.losses.custom import backward_datum
from tinker_mock.client.losses.gradient import value_and_gradients
from tinker_mock.client.sampling.opening import sampling_client_for
from tinker_mock.client.training.client import normal_config
from tinker_mock.client.types.json import decode

pytestmark = pytest.mark.anyio


def a_datum(tokens: list[int], targets: list[int]) -> Datum:
    return Datum.of(ModelInput.from_ints(tokens), target_tokens=targets)


async def test_a_model_is_usable_when_its_promise_is_kept() -> None:
    server = ScriptedServer(
        {
            **MODEL,
            "create_model": {"request_id": "r1", "model_id": "m1", "type": "create_model"},
            "retrieve_future": {"model_id": "m1", "type": "create_model"},
        }
    )
    async with training(server) as client:
        assert client.model_id == "m1"
    assert server.bodies("retrieve_future") == [{"request_id": "r1"}]


async def test_a_state_is_saved_under_a_name_and_loaded_with_its_optimizer() -> None:
    path = "tinker://m/weights/checkpoint-1"
    server = ScriptedServer(
        {
            **MODEL,
            "save_weights": {"path": path},
            "load_weights": {"path": path, "type": "load_weights"},
        }
    )
    async with training(server) as client:
        assert (await client.save_state("checkpoint-1")).path == path
        await client.load_state_with_optimizer(path)
    (saved,) = server.bodies("save_weights")
    assert (saved["model_id"], saved["path"]) == ("m", "checkpoint-1")
    assert server.bodies("load_weights") == [
        {"model_id": "m", "path": path, "optimizer": True, "seq_id": 2, "type": "load_weights"}
    ]


async def test_what_was_left_open_is_not_sent() -> None:
    output = {"loss_fn_output_type": "T", "loss_fn_outputs": [{}], "metrics": {}}
    answers = {"forward": {"request_id": "f"}, "retrieve_future": output}
    server = ScriptedServer({**MODEL, **answers})
    shapeless = Datum(ModelInput.from_ints([1]), {"weights": TensorData([1.0], "float32", None)})
    async with training(server) as client:
        await client.forward([shapeless], "cross_entropy")
    (body,) = server.bodies("forward")
    (datum,) = body["forward_input"]["data"]
    assert datum["loss_fn_inputs"] == {"weights": {"data": [1.0], "dtype": "float32"}}
    assert "null" not in json.dumps(body)


async def test_a_loss_nobody_knows_is_refused_before_anything_is_sent() -> None:
    server = ScriptedServer(MODEL)
    async with training(server) as client:
        with pytest.raises(ValidationError, match="Invalid loss_fn") as caught:
            client.forward_backward([a_datum([1], [2])], "mse")
    assert (caught.value.kind, caught.value.category) == ("validation", Category.USER)
    allowed = ["cross_entropy", "importance_sampling", "ppo", "cispo", "dro"]
    assert caught.value.data["allowed"] == allowed
    assert "forward_backward" not in server.paths()


def test_settings_of_a_loss_become_numbers_or_are_refused() -> None:
    assert normal_config({"clip": "0.2", "beta": 1}) == {"beta": 1.0, "clip": 0.2}
    with pytest.raises(ValidationError, match="loss_fn_config") as caught:
        normal_config({"beta": "nope"})
    assert (caught.value.kind, caught.value.category) == ("validation", Category.USER)


async def test_a_crash_while_polling_breaks_one_operation_only() -> None:
    server = ScriptedServer(
        {
            **MODEL,
            "optim_step": {"request_id": "r"},
            "retrieve_future": [
                RuntimeError("crash"),
                {"metrics": {"a": 1.0}, "type": "optim_step"},
            ],
        }
    )
    async with training(server) as client:
        with pytest.raises(TinkerError) as caught:
            await client.optim_step()
        assert caught.value.kind == "request_failed"
        assert (await client.optim_step()).metrics == {"a": 1.0}


@pytest.mark.parametrize(
    ("saved", "path", "session"),
    [
        ({"path": "tinker://stub/sampler"}, "tinker://stub/sampler", "sampler"),
        ({"sampling_session_id": "session:ephemeral"}, None, "session:ephemeral"),
    ],
)
async def test_saved_weights_are_sampled_by_path_or_in_their_own_session(
    saved: dict[str, str], path: str | None, session: str
) -> None:
    async with service(ScriptedServer(SAMPLER)) as opened:
        result = decode(SaveWeightsForSamplerResponse, saved)
        client = await sampling_client_for(opened.connection, result)
    assert (client.model_path, client.sampling_session_id) == (path, session)


@pytest.mark.parametrize(
    ("answer", "polls"),
    [({"request_id": "unload-1"}, 1), ({"model_id": "model-123", "type": "unload_model"}, 0)],
)
async def test_unloading_is_a_promise_or_done_at_once(answer: dict[str, str], polls: int) -> None:
    done = {"model_id": "m", "type": "unload_model"}
    server = ScriptedServer({**MODEL, "unload_model": answer, "retrieve_future": done})
    async with training(server) as client:
        assert (await client.unload_model()).type == "unload_model"
    assert len(server.bodies("retrieve_future")) == polls


def test_a_custom_loss_is_differentiated_and_its_gradients_become_weights() -> None:
    logprobs = [np.asarray([-1.0, -2.0]), np.asarray([-0.5, -1.5])]
    _, found = value_and_gradients(lambda *parts: sum(one.sum() for one in parts), logprobs)
    assert [one.tolist() for one in found] == [[1.0, 1.0], [1.0, 1.0]]
    back = backward_datum(a_datum([4, 5, 6], [4, 5, 6]), np.asarray([0.1, 0.2, 0.3]))
    assert list(back.loss_fn_inputs["weights"].data) == pytest.approx([-0.1, -0.2, -0.3])
    assert list(back.loss_fn_inputs["target_tokens"].data) == [4, 5, 6]


async def test_a_custom_loss_is_a_forward_and_a_weighted_backward_pass() -> None:
    logprobs = TensorData.from_array(np.asarray([-1.0, -2.0], np.float32))
    tensor = {"data": list(logprobs.data), "dtype": "float32", "shape": logprobs.shape}
    output = {"loss_fn_output_type": "T", "loss_fn_outputs": [{"logprobs": tensor}]}
    server = ScriptedServer(
        {
            **MODEL,
            "forward": {"request_id": "f"},
            "forward_backward": {"request_id": "b"},
            "retrieve_future": [
                {**output, "metrics": {"loss": 1.0}},
                {**output, "metrics": {"loss": 0.25}},
            ],
        }
    )

    def loss(_data: Any, parts: Any) -> Any:
        return sum(one.sum() for one in parts), {"custom_metric": 7.0}

    async with training(server) as client:
        result = await client.forward_backward_custom([a_datum([1, 2], [10, 11])], loss)
    assert result.metrics == {"loss": 0.25, "custom_metric": 7.0}
    assert [body["seq_id"] for body in server.bodies("forward")] == [1]
    (back,) = server.bodies("forward_backward")
    assert back["seq_id"] == 2
    sent = back["forward_backward_input"]
    assert sent["loss_fn"] == "cross_entropy"
    weights = sent["data"][0]["loss_fn_inputs"]["weights"]
    assert (weights["data"], weights["dtype"]) == ([-1.0, -1.0], "float32")
