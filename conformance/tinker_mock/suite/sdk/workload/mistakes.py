"""What users get wrong: a clear exception within a minute, and the server lives on."""

import os
from typing import Any

import tinker
from tinker import types

from .step import MODEL, TEXT, Shared, datum, refused, released, step, tensor


@step("errors/unknown-model", "an unknown base model is refused by name")
def unknown_model(shared: Shared) -> None:
    def create() -> object:
        return shared.service.create_lora_training_client(base_model="No/Such-Model")

    refused(create, "No/Such-Model")


@step("errors/unknown-checkpoint", "an unknown checkpoint is refused by path")
def unknown_checkpoint(shared: Shared) -> None:
    path = f"tinker://{shared.training.model_id}/weights/never"
    refused(lambda: shared.service.create_training_client_from_state(path), "never")


@step("errors/unknown-run", "an unknown run is refused")
def unknown_run(shared: Shared) -> None:
    refused(lambda: shared.rest.get_training_run("no-such-run"), "no-such-run")


@step("errors/missing-input", "a datum without target_tokens: the message names it")
def missing_input(shared: Shared) -> None:
    client = other_run(shared)
    bare = types.Datum(model_input=types.ModelInput.from_ints(TEXT), loss_fn_inputs={})
    refused(lambda: client.forward_backward([bare], "cross_entropy"), "target_tokens")


def other_run(shared: Shared) -> Any:
    """A run of its own: a refused operation may poison the client that sent it."""
    return shared.service.create_lora_training_client(base_model=MODEL, rank=4)


@step("errors/length-mismatch", "targets of another length than the input")
def length_mismatch(shared: Shared) -> None:
    client = other_run(shared)
    inputs = {"target_tokens": tensor(TEXT[:3], "int64"), "weights": tensor([1.0] * 3, "float32")}
    short = types.Datum(model_input=types.ModelInput.from_ints(TEXT), loss_fn_inputs=inputs)
    refused(lambda: client.forward_backward([short], "cross_entropy"), "target_tokens")


@step("errors/token-range", "a token outside of the vocabulary")
def token_range(shared: Shared) -> None:
    client = other_run(shared)
    refused(lambda: client.forward([datum([1, 2, 999_999_999])], "cross_entropy"), "token")


@step("errors/sampling-range", "top_p outside of (0, 1]")
def sampling_range(shared: Shared) -> None:
    options = types.SamplingParams(max_tokens=2, top_p=3.0)
    prompt = types.ModelInput.from_ints(TEXT[:4])
    refused(lambda: shared.base.sample(prompt, 1, options), "top_p")


@step("errors/no-such-sampler", "sampling from a checkpoint that is not there")
def no_such_sampler(shared: Shared) -> None:
    path = f"tinker://{shared.training.model_id}/sampler_weights/never"

    def create() -> object:
        client = shared.service.create_sampling_client(model_path=path)
        options = types.SamplingParams(max_tokens=2)
        return client.sample(types.ModelInput.from_ints(TEXT[:4]), 1, options)

    refused(create, "never")


@step("errors/wrong-key", "a malformed key")
def wrong_key(shared: Shared) -> None:
    def use() -> object:
        return tinker.ServiceClient(api_key="no-such-key").get_server_capabilities()

    # 0.7 prefers the environment's key to the argument.
    known = os.environ["TINKER_API_KEY"]
    os.environ["TINKER_API_KEY"] = "no-such-key"
    try:
        refused(use)
    finally:
        os.environ["TINKER_API_KEY"] = known


@step("errors/lives-on", "after all that, training goes on")
def lives_on(shared: Shared) -> None:
    shared.training.forward_backward([datum()], "cross_entropy").result()
    shared.training.optim_step(types.AdamParams(learning_rate=1e-4)).result()


@step("session/close", "close: the session is finished")
def close(shared: Shared) -> None:
    from .step import method

    service = tinker.ServiceClient(api_key=os.environ["TINKER_API_KEY"])
    finish = method(service, "close", "status")
    if released("0.27"):
        service.create_lora_training_client(base_model=MODEL, rank=4).forward(
            [datum()], "cross_entropy"
        ).result()
        finished = finish("success", detail="audit")
        if hasattr(finished, "result"):
            finished.result()
