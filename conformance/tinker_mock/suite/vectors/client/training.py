"""Training: what is submitted, in which form and order."""

from typing import Any

import numpy as np

from tinker_mock.client import (
    AsyncTrainingClient,
    Datum,
    ForwardBackwardOutput,
    ModelInput,
    TensorData,
    TinkerError,
)
from tinker_mock.client.http.requests import prepare_body
from tinker_mock.client.losses.custom import backward_datum
from tinker_mock.client.losses.gradient import value_and_gradients
from tinker_mock.client.sampling.opening import sampling_client_for
from tinker_mock.client.training.loss_functions import FIRST_LOSS_FNS, check_loss_fn, normal_config
from tinker_mock.client.types.json import decode
from tinker_mock.suite.vectors.client.stage import MODEL, SESSION, Component, Stage, outcome, run
from tinker_mock.suite.vectors.comparison import Partial


def a_datum(tokens: Any = (1,), targets: Any = (2,)) -> Datum:
    return Datum.of(ModelInput.from_ints(tokens), target_tokens=list(targets))


async def with_model(stage: Stage, use: Any) -> Any:
    """Open a training client and use it."""
    async with stage.service() as service:
        training = await service.create_lora_training_client("base")
        return await use(training)


def training(given: Any, entry: Any) -> Any:
    if "request" in given:
        sent = prepare_body(given["request"], drop_nulls=True)
        return {"body_lacks": [n for n in entry["expected"]["body_lacks"] if n not in sent]}
    created = {**given["response"], "type": "create_model"}
    done = {"model_id": given["response"]["model_id"], "type": "create_model"}
    stage = Stage({**SESSION, "create_model": created, "retrieve_future": done})

    async def use(client: AsyncTrainingClient) -> str:
        return client.model_id

    model_id = run(with_model(stage, use))
    assert model_id == given["response"]["model_id"]
    assert len(stage.script.bodies("retrieve_future")) == 1
    from tinker_mock.suite.vectors.runner import Chosen

    python = "polls r1 until CreateModelResponse"
    return Chosen("expected.python", python, "a model is usable when its promise is kept")


def training_client(given: Any, entry: Any) -> Any:
    name = entry["name"]
    if name == "load_state_with_optimizer body":
        loaded = {"path": given["path"], "type": "load_weights"}
        body = _body("load_weights", loaded, lambda c: c.load_state_with_optimizer(given["path"]))
        return {"request": Partial(body)}
    if name == "save_state body + direct response":
        answer = given["response"]
        stage = Stage({**MODEL, "create_model": _model("model-save"), "save_weights": answer})

        async def save(client: AsyncTrainingClient) -> str:
            return (await client.save_state(given["name"])).path

        assert run(with_model(stage, save)) == answer["path"]
        return {"request": Partial(stage.script.bodies("save_weights")[0])}
    if name == "invalid loss_fn":
        return _invalid_loss(given)
    if name.startswith("loss_fn_config"):
        return outcome(lambda: normal_config(given), lambda found: {"wire": found})
    if name.startswith("poll crash"):
        return _poll_crash()
    return [_sampling_source(saved) for saved in given]


def _model(model_id: str) -> dict[str, str]:
    return {"model_id": model_id, "type": "create_model"}


def _body(path: str, answer: Any, call: Any) -> Any:
    stage = Stage({**MODEL, path: answer})

    async def use(client: AsyncTrainingClient) -> Any:
        return await call(client)

    run(with_model(stage, use))
    return stage.script.bodies(path)[0]


def _invalid_loss(given: Any) -> Any:
    stage = Stage(MODEL)

    async def use(client: AsyncTrainingClient) -> Any:
        before = len(stage.script.requests)
        try:
            client.forward_backward([a_datum()], given["loss_fn"])
        except TinkerError as error:
            fields = {"type": error.kind, "category": error.category.value}
            allowed = {"data.allowed": error.data["allowed"], "message": error.message}
            sent = len(stage.script.requests) - before
            return {"error": Partial(fields | allowed), "requests": sent}
        return check_loss_fn(given["loss_fn"], FIRST_LOSS_FNS)

    return run(with_model(stage, use))


def _poll_crash() -> Any:
    """A crash while polling breaks one operation; the client goes on."""
    crash = RuntimeError("crash")
    good = {"metrics": {"a": 1.0}, "type": "optim_step"}
    answers = {"optim_step": {"request_id": "r"}, "retrieve_future": [crash, good]}
    stage = Stage({**MODEL, **answers})

    async def use(client: AsyncTrainingClient) -> Any:
        try:
            await client.optim_step()
        except TinkerError as error:
            kind = error.kind
        assert (await client.optim_step()).metrics == {"a": 1.0}
        return {"error": {"type": kind}}

    return run(with_model(stage, use))


def _sampling_source(saved: Any) -> Any:
    stage = Stage({**SESSION, "create_sampling_session": {"sampling_session_id": "new"}})

    async def open_client() -> Any:
        async with stage.service() as service:
            result = decode(_saved_type(), saved)
            return await sampling_client_for(service.connection, result)

    client = run(open_client())
    if client.model_path is not None:
        return {"model_path": client.model_path}
    return {"sampling_session_id": client.sampling_session_id, "model_path": "absent"}


def _saved_type() -> Any:
    from tinker_mock.client import SaveWeightsForSamplerResponse

    return SaveWeightsForSamplerResponse


def unload_model(given: Any, _entry: Any) -> Any:
    done = {"model_id": "m", "type": "unload_model"}
    verdicts = []
    for answer in given:
        stage = Stage({**MODEL, "unload_model": answer, "retrieve_future": done})

        async def use(client: AsyncTrainingClient) -> Any:
            return await client.unload_model()

        assert run(with_model(stage, use)).type == "unload_model"
        polled = bool(stage.script.bodies("retrieve_future"))
        verdicts.append("poll retrieve_future" if polled else "done")
    return verdicts


def load_weights_request(given: Any, entry: Any) -> Any:
    model_id, seq_id = given["model_id"], given["seq_id"]
    loaded = {"path": given["path"], "type": "load_weights"}
    answers = {"create_model": _model(model_id), "load_weights": loaded, "optim_step": {"type": ""}}
    stage = Stage({**MODEL, **answers})

    async def use(client: AsyncTrainingClient) -> None:
        for _ in range(seq_id - 1):
            await client.optim_step()
        await client.load_state(given["path"], optimizer=given["optimizer"])

    run(with_model(stage, use))
    sent = stage.script.bodies("load_weights")[0]
    return {"json": sent, "absent": [n for n in entry["expected"]["absent"] if n not in sent]}


def custom_loss(given: Any, entry: Any) -> Any:
    if "loss" in given:
        arrays = [np.asarray(one) for one in given["logprobs"]]
        _, found = value_and_gradients(lambda *parts: sum(one.sum() for one in parts), arrays)
        return {"grads": [one.tolist() for one in found]}
    if "grads" in given:
        datum = a_datum(given["target_tokens"], given["target_tokens"])
        back = backward_datum(datum, np.asarray(given["grads"][0])).loss_fn_inputs
        return {
            "weights": list(back["weights"].data),
            "target_tokens": list(back["target_tokens"].data),
        }
    return _end_to_end(given)


def _end_to_end(given: Any) -> Any:
    logprobs = TensorData.from_array(np.asarray(given["forward_logprobs"], np.float32))
    tensor = {"data": list(logprobs.data), "dtype": "float32", "shape": logprobs.shape}
    output = {"loss_fn_output_type": "T", "loss_fn_outputs": [{"logprobs": tensor}]}
    answers = {
        "forward": {"request_id": "f"},
        "forward_backward": {"request_id": "b"},
        "retrieve_future": [
            {**output, "metrics": {"loss": 1.0}},
            {**output, "metrics": given["backward_metrics"]},
        ],
    }
    stage = Stage({**MODEL, **answers})
    datum = a_datum(given["tokens"], given["target_tokens"])

    async def use(client: AsyncTrainingClient) -> ForwardBackwardOutput:
        def loss(_data: Any, parts: Any) -> Any:
            return sum(one.sum() for one in parts), given["custom_metrics"]

        return await client.forward_backward_custom([datum], loss)

    result = run(with_model(stage, use))
    (ahead,), (back,) = stage.script.bodies("forward"), stage.script.bodies("forward_backward")
    sent = back["forward_backward_input"]
    return {
        "forward_seq_ids": [ahead["seq_id"]],
        "backward_seq_ids": [back["seq_id"]],
        "backward_loss_fn": sent["loss_fn"],
        "weights": Partial(sent["data"][0]["loss_fn_inputs"]["weights"]),
        "metrics": result.metrics,
    }


COMPONENTS: dict[str, Component] = {
    "Training": training,
    "TrainingClient": training_client,
    "UnloadModel": unload_model,
    "LoadWeightsRequest": load_weights_request,
    "CustomLoss": custom_loss,
}
