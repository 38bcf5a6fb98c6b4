"""A program for the audit that uses most of the Python SDK, any release, and reports every call.

What it asked for and what it was told goes to TINKER_MOCK_REPORT, so that a value that is lost or
garbled on the way is seen. It needs nothing but a package `tinker`.
"""

import inspect
import json
import logging
import os
import sys
import urllib.request
from typing import Any

import tinker
from tinker import types

MODEL = os.environ["TINKER_MOCK_MODEL"]
SITUATION = os.environ.get("TINKER_MOCK_SITUATION", "healthy")
CALLS: list[dict[str, Any]] = []
REDUCED = (":sum", ":mean", ":min", ":max")


def call(operation: Any, asked: Any = None, **more: Any) -> Any:
    """Note a call in the order in which it is made; its answer is filled in later."""
    CALLS.append({"value": "call", "operation": operation, "asked": asked or {}, **more})
    return CALLS[-1]


def write_report() -> None:
    with open(os.environ["TINKER_MOCK_REPORT"], "w", encoding="utf-8") as file:
        for line in CALLS:
            print(json.dumps(line), file=file)


def known(function: Any, **options: Any) -> Any:
    """Those of the options that the function of this release takes."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in options.items() if name in names}


def resolved(value: Any) -> Any:
    """A client, of releases that give it at once and of those that promise it."""
    return value.result() if hasattr(value, "result") else value


def tensor(values: Any, kind: Any, shape: Any = None) -> Any:
    values = list(values)
    return types.TensorData(data=values, dtype=kind, shape=shape or [len(values)])


def datum(tokens: Any, **inputs: Any) -> Any:
    """A datum, and its wire form."""
    count = len(tokens) - 1
    given = {"target_tokens": (tokens[1:], "int64")}
    given |= {name: (values, "float32") for name, values in inputs.items()}
    made = types.Datum(
        model_input=types.ModelInput.from_ints(tokens=tokens[:-1]),
        loss_fn_inputs={name: tensor(*value) for name, value in given.items()},
    )
    wire = {name: {"data": data, "dtype": kind, "shape": [count]}
            for name, (data, kind) in given.items()}  # fmt: skip
    return made, {"model_input": {"chunks": [{"tokens": tokens[:-1]}]}, "loss_fn_inputs": wire}


def weighted(tokens: Any, first: Any = 0.25) -> Any:
    return datum(tokens, weights=[first + 0.5 * place for place in range(len(tokens) - 1)])


def policy(tokens: Any) -> Any:
    count = len(tokens) - 1
    return datum(
        tokens,
        logprobs=[-2.0 - 0.5 * place for place in range(count)],
        advantages=[(-1.0) ** place * (place + 1) for place in range(count)],
    )


def told_of(result: Any) -> Any:
    metrics = {name: value for name, value in result.metrics.items() if name.endswith(REDUCED)}
    outputs = [{"logprobs": {"data": [float(value) for value in one["logprobs"].data]}}
               for one in result.loss_fn_outputs]  # fmt: skip
    return {"metrics": metrics, "loss_fn_outputs": outputs}


class Pass:
    """A pass that was submitted, and its line in the report."""

    def __init__(
        self, client: Any, data: Any, loss: Any, config: Any = None, forward: Any = False
    ) -> None:
        name = "forward" if forward else "forward_backward"
        given = {} if config is None else {"loss_fn_config": config}
        wire = {"model_id": client.model_id, "data": [one for _, one in data], "loss_fn": loss}
        self.line = call(name, {**wire, **given})
        self.future = getattr(client, name)([one for one, _ in data], loss, **given)

    def wait(self) -> None:
        try:
            self.line["told"] = told_of(self.future.result())
        except Exception as error:
            self.line["error"] = told_as(error)
            raise


def optim_step(client: Any, **params: Any) -> Any:
    known_params = {**getattr(types.AdamParams, "model_fields", {}),
                    **getattr(types.AdamParams, "__dataclass_fields__", {})}  # fmt: skip
    chosen = {name: value for name, value in params.items() if name in known_params}
    call("optim_step", {"model_id": client.model_id, "adam_params": chosen})
    return client.optim_step(types.AdamParams(**chosen))


class Listener(logging.Handler):
    """Reports what is logged of a queue that stands still."""

    def emit(self, record: Any) -> None:
        CALLS.append({"value": "queue", "says": record.getMessage()})


def opened(service: Any) -> Any:
    """A model."""
    create = service.create_lora_training_client
    options = known(create, rank=8, seed=3, train_unembed=False, user_metadata={"run": "audit"})
    line = call("create_model", {"base_model": MODEL})
    lora = {name: options[name] for name in ("rank", "seed", "train_unembed") if name in options}
    line["asked"]["lora_config"] = lora
    if "user_metadata" in options:
        line["asked"]["user_metadata"] = options["user_metadata"]
    client = resolved(create(base_model=MODEL, **options))
    line["told"] = {"model_id": client.model_id}
    return client


def train(client: Any) -> None:
    """Steps whose parts are submitted before any is waited for."""
    long, short = list(range(20, 34)), [7, 300, 70_000, 9]
    first = Pass(client, [weighted(long), weighted(short, 1.5)], "cross_entropy")
    update = optim_step(
        client, learning_rate=3e-4, beta1=0.8, beta2=0.9, eps=1e-8, weight_decay=0.1,
        grad_clip_norm=0.5,
    )  # fmt: skip
    second = Pass(client, [policy(long), policy(short)], "importance_sampling")
    limits = {"clip_low_threshold": 0.7, "clip_high_threshold": 1.3}
    clipped = "loss_fn_config" in inspect.signature(client.forward_backward).parameters
    third = Pass(client, [policy(short)], "ppo", limits if clipped else None)
    again = optim_step(client, learning_rate=1e-4)
    first.wait()
    update.result()
    passes = [second, third]
    if SITUATION != "cycles":  # where the pace of steps is judged, there is nothing between them
        many = [weighted([n % 90 + 10, 7, n % 50 + 200, 9], n / 8) for n in range(5)]
        passes.append(Pass(client, many, "cross_entropy", forward=True))
    for one in passes:
        one.wait()
    again.result()


def trained_in_pieces(client: Any) -> None:
    """More than goes into one request."""
    many = [weighted([n % 90 + 10, 7, n % 50 + 200], n % 8 / 8) for n in range(1030)]
    Pass(client, many, "cross_entropy").wait()


def trained_by_own_loss(client: Any) -> None:
    """The sum of the squares of the log-probabilities: its gradient is twice themselves.

    The step is submitted before the passes are waited for.
    """
    data = [weighted(list(range(40, 52))), weighted([7, 300, 9])]
    seen: list[list[float]] = []

    def loss(_: Any, logprobs: Any) -> Any:
        seen[:] = [[float(value) for value in one] for one in logprobs]
        total = sum((one**2).sum() for one in logprobs)
        return total, {"squares": float(total)}

    plain = {"model_id": client.model_id, "loss_fn": "cross_entropy"}
    forward = call("forward", {**plain, "data": [
        {"model_input": one["model_input"],
         "loss_fn_inputs": {"target_tokens": one["loss_fn_inputs"]["target_tokens"]}}
        for _, one in data]})  # fmt: skip
    backward = call("forward_backward")
    passed = client.forward_backward_custom([one for one, _ in data], loss)
    update = optim_step(client, learning_rate=2e-4)
    passed.result()
    update.result()
    forward["told"] = {"loss_fn_outputs": [{"logprobs": {"data": one}} for one in seen]}
    wanted = [{**one, "loss_fn_inputs": {**one["loss_fn_inputs"], "weights": {
        "data": [-2 * value for value in values]}}}
        for (_, one), values in zip(data, seen, strict=True)]  # fmt: skip
    backward["asked"] = {**plain, "data": wanted}


def saved(client: Any) -> Any:
    """Checkpoints: their paths."""
    paths: dict[str, str] = {}
    for name, save, operation in (
        ("kept", client.save_state, "save_weights"),
        ("doomed", client.save_state, "save_weights"),
        ("drawn", client.save_weights_for_sampler, "save_weights_for_sampler"),
    ):
        options = known(save, ttl_seconds=7200) if name == "kept" else {}
        line = call(operation, {"model_id": client.model_id, "path": name, **options})
        paths[name] = save(name, **options).result().path
        line["told"] = {"path": paths[name]}
    return paths


def restored(service: Any, client: Any, path: Any) -> None:
    """A model that goes on from a checkpoint, and one that takes its weights only."""
    fresh = opened(service)
    call("load_weights", {"model_id": fresh.model_id, "path": path, "optimizer": False})
    fresh.load_state(path).result()
    if hasattr(client, "load_state_with_optimizer"):
        other = opened(service)
        call("load_weights", {"model_id": other.model_id, "path": path, "optimizer": True})
        other.load_state_with_optimizer(path).result()


PROMPT = list(range(20, 30))
PARAMS = (
    {"max_tokens": 6, "temperature": 0.7},
    {"max_tokens": 5, "top_k": 12},
    {"max_tokens": 7, "top_p": 0.6},
    {"max_tokens": 400, "temperature": 1.0},
    {"max_tokens": 9, "stop": [1000, 1001]},
    {"max_tokens": 3, "temperature": 0.0},
    {"max_tokens": 40, "stop": []},
)


def drawn(sampler: Any, count: Any, source: Any) -> None:
    """Samples that are all asked for before one is waited for.

    `source` is the call, by its place among those of its kind, that told the sampling session.
    """
    asked = []
    for place, params in enumerate(PARAMS[:count]):
        sampled = {**params, "seed": 50 + place}
        prompt = PROMPT[place:]
        session = {"told_by": source, "field": "sampling_session_id"}
        line = call("asample", {"num_samples": 2, "sampling_params": sampled,
                                "prompt": {"chunks": [{"tokens": prompt}]},
                                "sampling_session_id": session})  # fmt: skip
        future = sampler.sample(
            prompt=types.ModelInput.from_ints(tokens=prompt),
            num_samples=2,
            sampling_params=types.SamplingParams(**sampled),
        )
        asked.append((line, future))
    for line, future in asked:
        line["told"] = {"sequences": [
            {"tokens": list(one.tokens), "logprobs": [float(value) for value in one.logprobs or ()],
             "stop_reason": str(one.stop_reason)}
            for one in future.result().sequences]}  # fmt: skip


def scored(sampler: Any) -> None:
    """Log-probabilities of a prompt, and what was likely in its places."""
    prompt = types.ModelInput.from_ints(tokens=PROMPT)
    line = call("asample", {"prompt_logprobs": True, "prompt": {"chunks": [{"tokens": PROMPT}]}})
    line["told"] = {"prompt_logprobs": list(sampler.compute_logprobs(prompt).result())}
    names = inspect.signature(sampler.sample).parameters
    if "topk_prompt_logprobs" not in names:
        return
    line = call("asample", {"prompt_logprobs": True, "topk_prompt_logprobs": 3})
    options = {"include_prompt_logprobs": True, "topk_prompt_logprobs": 3}
    params = types.SamplingParams(max_tokens=1, seed=60)
    found = sampler.sample(prompt=prompt, num_samples=1, sampling_params=params, **options).result()
    rows = [row and [list(cell) for cell in row] for row in found.topk_prompt_logprobs or ()]
    told = {"prompt_logprobs": list(found.prompt_logprobs), "topk_prompt_logprobs": rows}
    line["told"] = told


def fresh_sampler(client: Any) -> Any:
    """A sampler of the weights as they are, and the call that told its sampling session.

    Newer releases save without a name; older ones open a session on the path of what they saved.
    """
    call("save_weights_for_sampler", {"model_id": client.model_id})
    place = sum(line.get("operation") == "save_weights_for_sampler" for line in CALLS)
    sampler = resolved(client.save_weights_and_get_sampling_client(name=f"audited-{place}"))
    return sampler, f"save_weights_for_sampler {place}"


def sample(service: Any, client: Any, paths: Any) -> None:
    sampler, source = fresh_sampler(client)
    drawn(sampler, len(PARAMS), source)
    scored(sampler)
    if SITUATION == "healthy":
        Pass(client, [weighted(PROMPT)], "cross_entropy").wait()
        optim_step(client, learning_rate=1e-2).result()
        later, source = fresh_sampler(client)
        drawn(later, 1, source)
    for place, asked in enumerate(({"model_path": paths["drawn"]}, {"base_model": MODEL}), 1):
        call("create_sampling_session", asked)
        sampler = resolved(service.create_sampling_client(**asked))
        drawn(sampler, 1, f"create_sampling_session {place}")


def address(path: Any) -> Any:
    """The parts of a tinker:// path by their names in the API's paths."""
    run, kind, name = path.removeprefix("tinker://").split("/")
    return {"run_id": run, "kind": kind, "name": name}


def listed(rest: Any, client: Any) -> None:
    line = call("list_training_runs", {"limit": 1, "offset": 1})
    page = rest.list_training_runs(limit=1, offset=1).result()
    line["told"] = {"training_runs": [
        {"training_run_id": one.training_run_id, "lora_rank": one.lora_rank}
        for one in page.training_runs]}  # fmt: skip
    if hasattr(rest, "list_user_checkpoints"):
        line = call("list_user_checkpoints", {"limit": 2, "offset": 1})
        found = rest.list_user_checkpoints(limit=2, offset=1).result().checkpoints
        line["told"] = {"checkpoints": [{"tinker_path": one.tinker_path} for one in found]}
    line = call("list_run_checkpoints", {"run_id": client.model_id})
    found = rest.list_checkpoints(client.model_id).result().checkpoints
    line["told"] = {"checkpoints": [
        {"tinker_path": one.tinker_path, "checkpoint_type": one.checkpoint_type,
         "public": getattr(one, "public", None)} for one in found]}  # fmt: skip


def managed(rest: Any, client: Any, paths: Any) -> None:
    """Checkpoints published, given a lifetime, deleted."""
    kept, drawn_from, doomed = paths["kept"], paths["drawn"], paths["doomed"]
    if hasattr(rest, "set_checkpoint_ttl_from_tinker_path"):
        call("set_checkpoint_ttl", {**address(kept), "ttl_seconds": 5000})
        rest.set_checkpoint_ttl_from_tinker_path(kept, 5000).result()
    if hasattr(rest, "publish_checkpoint_from_tinker_path"):
        call("publish_checkpoint", address(kept))
        rest.publish_checkpoint_from_tinker_path(kept).result()
        call("publish_checkpoint", address(drawn_from))
        rest.publish_checkpoint_from_tinker_path(drawn_from).result()
        call("unpublish_checkpoint", address(drawn_from))
        rest.unpublish_checkpoint_from_tinker_path(drawn_from).result()
    if hasattr(rest, "delete_checkpoint_from_tinker_path"):
        call("delete_checkpoint", address(doomed))
        rest.delete_checkpoint_from_tinker_path(doomed).result()
    if hasattr(rest, "get_checkpoint_archive_url_from_tinker_path"):
        call("get_checkpoint_archive", address(drawn_from))
        found = rest.get_checkpoint_archive_url_from_tinker_path(drawn_from).result()
        with urllib.request.urlopen(found.url, timeout=30) as archive:
            assert archive.read(), "the archive is empty"
    line = call("get_training_run", {"run_id": client.model_id})
    run = rest.get_training_run(client.model_id).result()
    line["told"] = {"base_model": run.base_model, "lora_rank": run.lora_rank}


def refused(rest: Any) -> None:
    """What the user is told of a mistake."""
    line = call("get_training_run", {"run_id": "no-such-run"})
    try:
        rest.get_training_run("no-such-run").result()
    except Exception as error:
        line["error"] = told_as(error)


def told_as(error: Any) -> Any:
    """An error as the user sees it."""
    category = getattr(error, "category", None)
    category = getattr(category, "value", category)
    status = getattr(error, "status_code", None)
    return {"says": str(error), "status": status, "category": category and str(category)}


def failed(client: Any) -> None:
    """A step whose promise fails: the error is noted, and ends the program."""
    passed = Pass(client, [weighted(PROMPT)], "cross_entropy")
    line = call("optim_step", {"model_id": client.model_id})
    update = client.optim_step(types.AdamParams())
    passed.wait()
    try:
        update.result()
    except Exception as error:
        line["error"] = told_as(error)
        raise


def main() -> None:
    service = tinker.ServiceClient(user_metadata={"purpose": "audit"})
    call("create_session", {"user_metadata": {"purpose": "audit"}})
    client = opened(service)
    if SITUATION == "failed":
        failed(client)
    if SITUATION not in ("long", "ended"):
        train(client)
        paths = saved(client)
        sample(service, client, paths)
    if SITUATION == "healthy":
        trained_in_pieces(client)
        trained_by_own_loss(client)
        restored(service, client, paths["kept"])
        rest = service.create_rest_client()
        listed(rest, client)
        managed(rest, client, paths)
        refused(rest)
    if hasattr(service, "close"):
        call("finish_session", {"reason": {"type": "success"}})
        service.close("success").result()


if __name__ == "__main__":
    logging.getLogger().addHandler(Listener(logging.WARNING))
    try:
        main()
    finally:
        write_report()
    # The threads of several releases sometimes abort an interpreter as it ends: all is said by now.
    sys.stdout.flush()
    os._exit(0)
