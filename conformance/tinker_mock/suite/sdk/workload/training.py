"""Service, training and losses."""

from typing import Any

import tinker
from tinker import types

from .step import (
    MODEL,
    TEXT,
    NotInRelease,
    Shared,
    close,
    datum,
    logprobs,
    method,
    released,
    resolved,
    step,
    tensor,
    tokenized,
)


@step("service/create", "ServiceClient()")
def create_service(shared: Shared) -> None:
    shared.keep("service", tinker.ServiceClient(user_metadata={"audit": "yes"}))


@step("service/capabilities", "get_server_capabilities lists the base models")
def capabilities(shared: Shared) -> None:
    models = shared.service.get_server_capabilities().supported_models
    assert MODEL in [model.model_name for model in models]
    if released("0.18"):
        assert all(model.max_context_length for model in models)


@step("training/create", "create_lora_training_client")
def create_training(shared: Shared) -> None:
    client = shared.service.create_lora_training_client(
        base_model=MODEL, rank=16, seed=1, user_metadata={"run": "audit"}
    )
    shared.keep("training", resolved(client))


@step("training/get-info", "get_info: model, LoRA rank")
def get_info(shared: Shared) -> None:
    info = shared.training.get_info()
    assert info.model_data.model_name == MODEL, info
    assert info.lora_rank == 16, info


@step("training/get-tokenizer", "get_tokenizer, from the local directory the server names")
def get_tokenizer(shared: Shared) -> None:
    client = shared.service.create_lora_training_client(base_model=tokenized(), rank=4)
    tokenizer = client.get_tokenizer()
    assert tokenizer.decode(tokenizer.encode("Hello world")) == "Hello world"


@step("training/forward", "forward, cross_entropy")
def forward(shared: Shared) -> None:
    output = shared.training.forward([datum(), datum(TEXT[4:])], "cross_entropy").result()
    rows = shared.keep("forward_logprobs", logprobs(output))
    assert [len(row) for row in rows] == [len(TEXT) - 1, len(TEXT) - 5]
    assert abs(output.metrics["loss:sum"] + sum(map(sum, rows))) < 1e-3


@step("training/forward-backward", "forward_backward gives forward's log-probabilities")
def forward_backward(shared: Shared) -> None:
    data = [datum(), datum(TEXT[4:])]
    output = shared.training.forward_backward(data, "cross_entropy").result()
    assert close(logprobs(output), shared.forward_logprobs)


@step("training/optim-step", "optim_step with Adam's defaults")
def optim_step(shared: Shared) -> None:
    shared.training.optim_step(types.AdamParams()).result()


@step("training/optim-step-options", "optim_step with betas, eps, weight decay, clipping")
def optim_step_options(shared: Shared) -> None:
    fields = getattr(types.AdamParams, "model_fields", {})
    known = {"learning_rate": 2e-3, "beta1": 0.8, "beta2": 0.9, "eps": 1e-8}
    known.update({k: 0.1 for k in ("weight_decay", "grad_clip_norm") if k in fields})
    shared.training.forward_backward([datum()], "cross_entropy")
    shared.training.optim_step(types.AdamParams(**known)).result()


@step("training/loss-falls", "pipelined steps: the loss falls")
def loss_falls(shared: Shared) -> None:
    losses = []
    for _ in range(4):
        output = shared.training.forward_backward([datum()], "cross_entropy")
        update = shared.training.optim_step(types.AdamParams(learning_rate=5e-3))
        losses.append(output.result().metrics["loss:sum"])
        update.result()
    assert losses == sorted(losses, reverse=True), losses
    assert losses[-1] < losses[0]


@step("training/rest-of-context", "a datum of 2,000 tokens")
def long_datum(shared: Shared) -> None:
    tokens = (TEXT * 134)[:2001]
    output = shared.training.forward([datum(tokens)], "cross_entropy").result()
    assert len(logprobs(output)[0]) == 2000


@step("training/chunked", "1,030 data: sent in chunks, answered as one")
def chunked(shared: Shared) -> None:
    data = [datum(TEXT[: 3 + index % 5]) for index in range(1030)]
    output = shared.training.forward_backward(data, "cross_entropy").result()
    assert len(output.loss_fn_outputs) == 1030
    whole = -sum(map(sum, logprobs(output)))
    assert abs(output.metrics["loss:sum"] - whole) < 1e-2 * max(1.0, abs(whole))


@step("training/top-k-targets", "cross_entropy with [N, K] targets")
def top_k_targets(shared: Shared) -> None:
    n = len(TEXT) - 1
    pairs = [token for target in TEXT[1:] for token in (target, 42)]
    inputs = {
        "target_tokens": tensor(pairs, "int64", [n, 2]),
        "weights": tensor([0.75, 0.25] * n, "float32", [n, 2]),
    }
    data = [types.Datum(model_input=types.ModelInput.from_ints(TEXT[:-1]), loss_fn_inputs=inputs)]
    output = shared.training.forward_backward(data, "cross_entropy").result()
    assert list(output.loss_fn_outputs[0]["logprobs"].shape or []) == [n, 2]


@step("training/sparse-tensor", "a 2-D torch tensor, sent as CSR where that is smaller")
def sparse_tensor(shared: Shared) -> None:
    if not released("0.18"):
        raise NotInRelease("no sparse TensorData")
    import torch

    n = len(TEXT) - 1
    targets, weights = torch.zeros(n, 8, dtype=torch.int64), torch.zeros(n, 8)
    targets[:, 0] = torch.tensor(TEXT[1:])
    weights[:, 0] = 1.0
    sparse = types.Datum(
        model_input=types.ModelInput.from_ints(TEXT[:-1]),
        loss_fn_inputs={"target_tokens": targets, "weights": weights},
    )
    assert sparse.loss_fn_inputs["weights"].sparse_crow_indices is not None
    output = shared.training.forward([sparse, datum()], "cross_entropy").result()
    losses = [list(entry["logprobs"].data) for entry in output.loss_fn_outputs]
    assert close([losses[0][::8]], [losses[1]])


def policy_loss(shared: Shared, loss: str, **extra: list[float]) -> Any:
    n = len(TEXT) - 1
    old = shared.training.forward([datum()], "cross_entropy").result()
    inputs = {"logprobs": logprobs(old)[0], "advantages": [1.0, -0.5] * (n // 2), **extra}
    output = shared.training.forward_backward([datum(TEXT, **inputs)], loss).result()
    shared.training.optim_step(types.AdamParams(learning_rate=1e-4)).result()
    assert len(logprobs(output)[0]) == n
    assert "loss:sum" in output.metrics
    return output


for name in ("importance_sampling", "ppo", "cispo", "dro"):

    @step(f"losses/{name.replace('_', '-')}", f"forward_backward with {name}")
    def policy(shared: Shared, loss: str = name) -> None:
        policy_loss(shared, loss)


@step("losses/clip-thresholds", "ppo with per-token clip thresholds")
def clip_thresholds(shared: Shared) -> None:
    n = len(TEXT) - 1
    policy_loss(shared, "ppo", clip_low_threshold=[0.8] * n, clip_high_threshold=[1.2] * n)


@step("losses/gspo", "forward_backward with gspo")
def gspo(shared: Shared) -> None:
    if not released("0.34"):
        raise NotInRelease("no gspo in LossFnType")
    policy_loss(shared, "gspo")


@step("losses/config", "loss_fn_config reaches the server")
def loss_config(shared: Shared) -> None:
    n = len(TEXT) - 1
    old = shared.training.forward([datum()], "cross_entropy").result()
    inputs = {"logprobs": logprobs(old)[0], "advantages": [1.0] * n}
    call = method(shared.training, "forward_backward", "loss_fn_config")
    call([datum(TEXT, **inputs)], "dro", loss_fn_config={"beta": 0.1}).result()


@step("losses/custom", "forward_backward_custom: a loss written in torch")
def custom(shared: Shared) -> None:
    def loss(data: Any, rows: Any) -> Any:
        total = sum(-row.sum() for row in rows)
        return total * 0.5, {"half:sum": float(total) * 0.5}

    output = shared.training.forward_backward_custom([datum()], loss).result()
    assert output.metrics["half:sum"] >= 0
    shared.training.optim_step(types.AdamParams(learning_rate=1e-4)).result()


@step("losses/dimuon", "the dimuon optimizer is used, or refused by name")
def dimuon(shared: Shared) -> None:
    create = method(shared.service, "create_lora_training_client", "optimizer")
    try:
        client = create(base_model=MODEL, rank=8, optimizer=types.DimuonOptimizerConfig())
        client.forward_backward([datum()], "cross_entropy")
        client.optim_step(types.DimuonParams(learning_rate=1e-3)).result()
    except tinker.RequestFailedError as refusal:
        if "dimuon" not in str(refusal):
            raise
