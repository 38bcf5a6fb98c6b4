"""Short programs that every client runs alike; each returns values to compare.

This module is also loaded in a real SDK's environment: it imports nothing but the standard
library, and clients through `api`.
"""

from collections.abc import Callable
from typing import Any

BASE = "Qwen/Qwen3-8B"
TOKENS = list(range(100, 110))
PROGRAMS: dict[str, Callable[[Any], dict[str, Any]]] = {}


def program(run: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """Put a program in the table, under its name with dashes."""
    PROGRAMS[run.__name__.replace("_", "-")] = run
    return run


def pair(api: Any, tokens: list[int], **more: Any) -> Any:
    """Predict each next token, all weighing the same."""
    targets = tokens[1:]
    weights = [1.0] * len(targets)
    return api.datum(tokens[:-1], target_tokens=targets, weights=weights, **more)


def scored(api: Any, tokens: list[int], logprob: float, advantage: float) -> Any:
    """A sampled continuation with its old log-probabilities and advantages."""
    targets = tokens[1:]
    count = len(targets)
    return api.datum(
        tokens[:-1],
        target_tokens=targets,
        logprobs=[logprob] * count,
        advantages=[advantage] * count,
    )


@program
def capabilities(api: Any) -> dict[str, Any]:
    return {"models": api.model_names()}


@program
def supervised_steps(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=8, seed=1)
    data = [pair(api, TOKENS), pair(api, TOKENS[::-1])]
    losses, updates = [], []
    for _ in range(3):
        step = training.forward_backward(data, "cross_entropy")
        update = training.optim_step(api.adam(1e-2))
        losses.append(api.output(step))
        updates.append(api.metrics(update))
    return {"losses": losses, "updates": updates}


@program
def forward_only(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=2)
    return {"outputs": api.output(training.forward([pair(api, TOKENS)], "cross_entropy"))}


@program
def importance_sampling(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=8, seed=3)
    data = [scored(api, TOKENS, -9.0, 1.0), scored(api, TOKENS[::-1], -9.0, -0.5)]
    first = api.output(training.forward_backward(data, "importance_sampling"))
    api.wait(training.optim_step(api.adam(5e-3)))
    return {"first": first, "second": api.output(training.forward(data, "importance_sampling"))}


@program
def ppo(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=8, seed=4)
    data = [scored(api, TOKENS, -9.0, 1.0)]
    return {"outputs": api.output(training.forward_backward(data, "ppo"))}


@program
def optimizer_settings(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=8, seed=5)
    updates = []
    for settings in ({"grad_clip_norm": 1.0}, {"weight_decay": 0.1}, {"beta1": 0.8, "eps": 1e-8}):
        api.wait(training.forward_backward([pair(api, TOKENS)], "cross_entropy"))
        updates.append(api.metrics(training.optim_step(api.adam(1e-3, **settings))))
    last = api.output(training.forward([pair(api, TOKENS)], "cross_entropy"))
    return {"updates": updates, "last": last}


@program
def save_and_load(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=8, seed=6)
    data = [pair(api, TOKENS)]
    api.wait(training.forward_backward(data, "cross_entropy"))
    api.wait(training.optim_step(api.adam(1e-2)))
    path = api.wait(training.save_state("one")).path
    saved = api.output(training.forward(data, "cross_entropy"))
    fresh = api.training(BASE, rank=8, seed=60)
    api.wait(fresh.load_state(path))
    return {"saved": saved, "loaded": api.output(fresh.forward(data, "cross_entropy"))}


@program
def continue_from_state(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=8, seed=7)
    data = [pair(api, TOKENS)]
    api.wait(training.forward_backward(data, "cross_entropy"))
    api.wait(training.optim_step(api.adam(1e-2)))
    path = api.wait(training.save_state("one")).path
    again = api.from_state(path)
    return {"continued": api.output(again.forward(data, "cross_entropy"))}


@program
def sample_base_model(api: Any) -> dict[str, Any]:
    sampling = api.sampling(base_model=BASE)
    params = api.params(max_tokens=8, seed=11, temperature=1.0)
    return {"samples": api.samples(sampling, TOKENS, 2, params)}


@program
def sample_greedily(api: Any) -> dict[str, Any]:
    sampling = api.sampling(base_model=BASE)
    params = api.params(max_tokens=5, seed=1, temperature=0.0)
    return {"samples": api.samples(sampling, TOKENS, 1, params)}


@program
def sample_narrowly(api: Any) -> dict[str, Any]:
    sampling = api.sampling(base_model=BASE)
    params = api.params(max_tokens=6, seed=3, temperature=0.7, top_k=20, top_p=0.9)
    return {"samples": api.samples(sampling, TOKENS, 2, params)}


@program
def sample_trained_weights(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=8, seed=8)
    for _ in range(2):
        api.wait(training.forward_backward([pair(api, TOKENS)], "cross_entropy"))
        api.wait(training.optim_step(api.adam(1e-2)))
    sampling = api.sampling_from(training, "trained")
    params = api.params(max_tokens=4, seed=5, temperature=0.5)
    return {"samples": api.samples(sampling, TOKENS[:3], 1, params)}


@program
def prompt_logprobs(api: Any) -> dict[str, Any]:
    sampling = api.sampling(base_model=BASE)
    return {"logprobs": api.logprobs(sampling, TOKENS)}


@program
def top_prompt_logprobs(api: Any) -> dict[str, Any]:
    sampling = api.sampling(base_model=BASE)
    params = api.params(max_tokens=1, seed=1)
    return {"top": api.top_logprobs(sampling, TOKENS[:4], params, 3)}


@program
def custom_loss(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=8, seed=9)
    data = [pair(api, TOKENS), pair(api, TOKENS[::-1])]

    def squares(_data: Any, logprobs: Any) -> Any:
        value = sum((one * one).sum() for one in logprobs) * 0.5
        return value, {"squares": 1.0}

    step = api.output(training.forward_backward_custom(data, squares))
    api.wait(training.optim_step(api.adam(1e-3)))
    after = api.output(training.forward(data, "cross_entropy"))
    return {"outputs": step["outputs"], "squares": step["metrics"]["squares"], "after": after}


@program
def runs(api: Any) -> dict[str, Any]:
    api.training(BASE, rank=8, seed=1)
    rest = api.rest()
    listed = api.wait(rest.list_training_runs(limit=5)).training_runs
    run = api.wait(rest.get_training_run(listed[0].training_run_id))
    shown = {name: getattr(run, name) for name in ("base_model", "is_lora", "lora_rank")}
    return {"run": shown, "corrupted": run.corrupted}


@program
def checkpoints(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=8, seed=1)
    path = api.wait(training.save_state("kept")).path
    rest = api.rest()
    run = path.removeprefix("tinker://").split("/")[0]
    before = [one.checkpoint_id for one in api.wait(rest.list_checkpoints(run)).checkpoints]
    api.publish(rest, path)
    public = [one.public for one in api.wait(rest.list_checkpoints(run)).checkpoints]
    api.unpublish(rest, path)
    api.delete(rest, path)
    after = [one.checkpoint_id for one in api.wait(rest.list_checkpoints(run)).checkpoints]
    return {"before": before, "public": public, "after": after}


@program
def weights_info(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=16, seed=1)
    path = api.wait(training.save_state("x")).path
    info = api.wait(api.rest().get_weights_info_by_tinker_path(path))
    return {"base_model": info.base_model, "is_lora": info.is_lora, "lora_rank": info.lora_rank}


@program
def model_info(api: Any) -> dict[str, Any]:
    info = api.training(BASE, rank=8, seed=1).get_info()
    return {"name": info.model_data.model_name, "is_lora": info.is_lora, "rank": info.lora_rank}


@program
def unknown_model(api: Any) -> dict[str, Any]:
    return {"failure": api.failure(lambda: api.training("no/such-model", rank=8, seed=1))}


@program
def missing_checkpoint(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=8, seed=1)
    run = training.model_id
    path = f"tinker://{run}/weights/missing"
    return {"failure": api.failure(lambda: api.wait(training.load_state(path)))}


@program
def unknown_run(api: Any) -> dict[str, Any]:
    rest = api.rest()
    return {"failure": api.failure(lambda: api.wait(rest.get_training_run("no-such-run")))}
