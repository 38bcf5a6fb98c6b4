"""Well-formed request bodies that scenarios start from."""

from collections.abc import Mapping, Sequence
from typing import Any

TOKENS = (11, 12, 13, 14, 15, 16)


def text(*tokens: int) -> dict[str, Any]:
    """A model input of one text chunk."""
    return {"chunks": [{"type": "encoded_text", "tokens": list(tokens)}]}


def tensor(
    data: Sequence[float], dtype: str = "float32", shape: Sequence[int] | None = None
) -> dict[str, Any]:
    """A dense tensor."""
    return {"data": list(data), "dtype": dtype, "shape": list(shape or [len(data)])}


def datum(*tokens: int, weight: float = 1.0, **inputs: Any) -> dict[str, Any]:
    """Next-token training data: tokens[:-1] predict tokens[1:]. More inputs replace by name."""
    tokens = tokens or TOKENS
    targets = tokens[1:]
    fields = {
        "target_tokens": tensor(targets, "int64"),
        "weights": tensor([weight] * len(targets)),
    }
    return {"model_input": text(*tokens[:-1]), "loss_fn_inputs": {**fields, **inputs}}


def policy_datum(*tokens: int, logprob: float = -3.0, advantage: float = 1.0) -> dict[str, Any]:
    """Data for the policy-gradient losses."""
    tokens = tokens or TOKENS
    count = len(tokens) - 1
    inputs = {
        "target_tokens": tensor(tokens[1:], "int64"),
        "logprobs": tensor([logprob] * count),
        "advantages": tensor([advantage] * count),
    }
    return {"model_input": text(*tokens[:-1]), "loss_fn_inputs": inputs}


def train(
    model: str,
    seq_id: int,
    data: Sequence[Mapping[str, Any]] | None = None,
    loss_fn: str = "cross_entropy",
    config: Mapping[str, Any] | None = None,
    key: str = "forward_backward_input",
) -> dict[str, Any]:
    """A forward_backward (or, with another key, forward) request."""
    work: dict[str, Any] = {"data": list(data or [datum()]), "loss_fn": loss_fn}
    if config is not None:
        work["loss_fn_config"] = dict(config)
    return {key: work, "model_id": model, "seq_id": seq_id}


def forward(model: str, seq_id: int, **options: Any) -> dict[str, Any]:
    """A forward request."""
    return train(model, seq_id, key="forward_input", **options)


def optim(model: str, seq_id: int, learning_rate: float = 0.004, **params: Any) -> dict[str, Any]:
    """An optim_step request with AdamW parameters."""
    adam = {"learning_rate": learning_rate, "beta1": 0.9, "beta2": 0.95, "eps": 1e-12, **params}
    return {"adam_params": adam, "model_id": model, "seq_id": seq_id, "type": "optim_step"}


def sample(sampler: str, seq_id: int = 0, **fields: Any) -> dict[str, Any]:
    """An asample request; sampling parameters are given by their own names."""
    names = ("max_tokens", "seed", "stop", "temperature", "top_k", "top_p")
    params = {"max_tokens": 8, "seed": 7, "temperature": 1.0, "top_k": -1, "top_p": 1.0}
    params |= {name: fields.pop(name) for name in names if name in fields}
    body = {
        "num_samples": 1,
        "prompt": text(*TOKENS),
        "sampling_params": params,
        "sampling_session_id": sampler,
        "seq_id": seq_id,
        "prompt_logprobs": False,
        "topk_prompt_logprobs": 0,
        "type": "sample",
    }
    return {**body, **fields}


def save(model: str, seq_id: int, name: str | None = None, **fields: Any) -> dict[str, Any]:
    """A save_weights request."""
    body: dict[str, Any] = {"model_id": model, "seq_id": seq_id, "type": "save_weights"}
    return {**body, **({"path": name} if name else {}), **fields}


def save_sampler(model: str, seq_id: int, **fields: Any) -> dict[str, Any]:
    """A save_weights_for_sampler request: give `path` or `sampling_session_seq_id`."""
    kind = "save_weights_for_sampler"
    return {"model_id": model, "seq_id": seq_id, "type": kind, **fields}


def load(model: str, seq_id: int, path: str, optimizer: bool = False) -> dict[str, Any]:
    """A load_weights request."""
    return {
        "model_id": model, "seq_id": seq_id, "path": path, "optimizer": optimizer,
        "type": "load_weights",
    }  # fmt: skip


def logprobs(result: Any, index: int = 0) -> list[float]:
    """The log-probabilities of one datum's output."""
    return [float(value) for value in result.at(f"/loss_fn_outputs/{index}/logprobs/data")]
