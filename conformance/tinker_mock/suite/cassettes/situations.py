"""Programs for bad days and rare calls, and the server that each needs.

Like `programs`, this module is also loaded in a real SDK's environment: standard library only.
`setup` is what the mock is told before: `scenario` (its rules and queue) and `options` (flags).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

BASE = "Qwen/Qwen3-8B"
TOKENS = list(range(100, 110))


@dataclass(frozen=True)
class Situation:
    """A program, the mock's scenario and flags, and whether the reference client can run it."""

    run: Callable[[Any], dict[str, Any]]
    scenario: dict[str, Any] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    reference: bool = True


SITUATIONS: dict[str, Situation] = {}


def situation(
    *options: str, rules: Any = None, queue: Any = None, reference: bool = True
) -> Callable[[Callable[[Any], dict[str, Any]]], Callable[[Any], dict[str, Any]]]:
    """Register a program under its name with dashes."""
    scenario = {k: v for k, v in {"rules": rules, "queue": queue}.items() if v}

    def register(run: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        SITUATIONS[run.__name__.replace("_", "-")] = Situation(run, scenario, options, reference)
        return run

    return register


def rule(operation: str, effects: Any, **match: Any) -> dict[str, Any]:
    """What goes wrong with an operation, once."""
    return {
        "name": f"{operation}-{effects}"[:60].replace(" ", ""),
        "match": {"operation": operation, **match},
        "effects": effects,
        "times": 1,
    }


def pair(api: Any) -> Any:
    """Predict each next token."""
    count = len(TOKENS) - 1
    return api.datum(TOKENS[:-1], target_tokens=TOKENS[1:], weights=[1.0] * count)


def short(api: Any, seed: int = 11) -> Any:
    return api.params(max_tokens=4, seed=seed, temperature=0.5)


@situation(
    queue={
        "completion": [{"operation": "forward_backward", "polls": 3}],
        "long_poll": "100ms",
    }
)
def waiting(api: Any) -> dict[str, Any]:
    """Two polls come too early: 408 or try-again, whatever the release understands."""
    training = api.training(BASE, rank=4, seed=1)
    return {"outputs": api.output(training.forward_backward([pair(api)], "cross_entropy"))}


@situation(rules=[rule("retrieve_future", "try-again-capacity-x2", promise="optim_step")])
def paused_queue(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    api.wait(training.forward_backward([pair(api)], "cross_entropy"))
    return {"update": api.metrics(training.optim_step(api.adam(1e-3)))}


@situation(rules=[rule("asample", "return-429-after-1s", nth=1)])
def throttled(api: Any) -> dict[str, Any]:
    sampling = api.sampling(base_model=BASE)
    return {"samples": api.samples(sampling, TOKENS, 1, short(api))}


@situation(rules=[rule("retrieve_future", "expire-promise", promise="asample", nth=1)])
def expired_sample(api: Any) -> dict[str, Any]:
    """The promise is gone (410), so the whole request goes out again."""
    sampling = api.sampling(base_model=BASE)
    return {"samples": api.samples(sampling, TOKENS, 1, short(api))}


@situation(rules=[rule("retrieve_future", "fail-user", promise="forward_backward")])
def failed_for_the_user(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    step = training.forward_backward([pair(api)], "cross_entropy")
    return {"failure": api.failure(lambda: api.wait(step))}


@situation(rules=[rule("retrieve_future", "fail-server", promise="forward_backward")])
def failed_at_the_server(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    step = training.forward_backward([pair(api)], "cross_entropy")
    return {"failure": api.failure(lambda: api.wait(step))}


@situation(
    rules=[
        {
            "name": "each-class",
            "match": {"operation": "get_training_run"},
            "effects": [f"return-{status}" for status in (400, 401, 403, 422, 500, 503)],
            "times": 6,
        }
    ]
)
def refusals(api: Any) -> dict[str, Any]:
    """Errors of each class; what passes by itself is asked again."""
    run = api.training(BASE, rank=4, seed=1).model_id
    rest = api.rest()

    def ask() -> Any:
        return api.wait(rest.get_training_run(run)).base_model

    return {"failures": [api.failure(ask) for _ in range(4)], "after": ask()}


@situation(
    "--client-config=sample_use_retrieve_futures=true",
    reference=False,  # it acknowledges results with its next poll, the SDK with one more
)
def one_poll_for_all_samples(api: Any) -> dict[str, Any]:
    sampling = api.sampling(base_model=BASE)
    return {"samples": [api.samples(sampling, TOKENS, 1, short(api, seed)) for seed in (1, 2)]}


@situation(
    "--dynamic-config=sample_cancel_enabled=true",
    queue={"completion": [{"operation": "asample", "manual": True}], "long_poll": "30s"},
)
def cancelled_sample(api: Any) -> dict[str, Any]:
    api.needs("cancel")
    sampling = api.sampling(base_model=BASE)
    pending = sampling.sample(api.prompt(TOKENS), 1, short(api))
    api.until("asample")
    return {"cancelled": api.cancel(pending)}


@situation("--client-config=pjwt_auth_enabled=true")
def short_lived_token(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    return {"outputs": api.output(training.forward([pair(api)], "cross_entropy"))}


@situation("--client-config=proto_compress_fwdbwd=true", "--client-config=proto_write_fwdbwd=true")
def compressed_passes(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    return {"outputs": api.output(training.forward_backward([pair(api)], "cross_entropy"))}


@situation()
def external_weights(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    api.needs("save_weights_external", training)
    path = api.wait(training.save_weights_external("files")).path
    rest = api.rest()
    api.needs("get_external_weights_urls", rest)
    urls = api.wait(rest.get_external_weights_urls(path)).urls
    return {"files": sorted(urls)}


@situation()
def copied_weights(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    rest = api.rest()
    api.needs("copy_weights", rest)
    path = api.wait(training.save_state("kept")).path
    return {"kind": api.copy(rest, path, "project-other").split("/")[-2]}


@situation()
def sessions(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    sampling = api.sampling(base_model=BASE)
    api.samples(sampling, TOKENS, 1, short(api))
    rest = api.rest()
    session = training.model_id.partition(":")[0]
    listed = api.wait(rest.list_sessions()).sessions
    found = api.wait(rest.get_session(session))
    values = {"listed": session in listed, "runs": len(found.training_run_ids)}
    if hasattr(rest, "get_sampler"):
        sampler = api.wait(rest.get_sampler(found.sampler_ids[0]))
        values["sampled"] = sampler.base_model
    return values


@situation()
def checkpoint_life(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    rest = api.rest()
    api.needs("set_checkpoint_ttl_from_tinker_path", rest)
    path = api.wait(training.save_state("kept", ttl_seconds=7200)).path
    everything = api.wait(rest.list_user_checkpoints(limit=5)).checkpoints
    api.wait(rest.set_checkpoint_ttl_from_tinker_path(path, None))
    run = api.wait(rest.get_training_run_by_tinker_path(path))
    return {"expires": everything[0].expires_at is not None, "base_model": run.base_model}


@situation()
def archive_link(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    rest = api.rest()
    api.needs("get_checkpoint_archive_url_from_tinker_path", rest)
    path = api.wait(training.save_state("kept")).path
    link = api.wait(rest.get_checkpoint_archive_url_from_tinker_path(path))
    return {"linked": link.url.startswith("http")}


@situation()
def administration(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    api.wait(training.forward([pair(api)], "cross_entropy"))
    rest = api.rest()
    api.needs("get_audit_log", rest)
    values: dict[str, Any] = {"audited": len(api.audit_log(rest))}
    session = training.model_id.partition(":")[0]
    if hasattr(rest, "assign_session_project"):
        api.wait(rest.assign_session_project(session, "project-moved"))
    if hasattr(rest, "export_session_trace"):
        values["trace"] = api.trace(rest, session)
    return values


@situation("--client-config=custom_loss_server_side=true")
def uploaded_loss(api: Any) -> dict[str, Any]:
    api.needs("create_custom_loss", api.service)

    def weighted(logprobs: Any, weights: Any) -> Any:
        loss = -(logprobs * weights).sum()
        return loss, {"custom/weighted:sum": loss}

    ranks = {"logprobs": 1, "weights": 1}
    training = api.training(BASE, rank=4, seed=1)
    handle = api.wait(api.service.create_custom_loss(weighted, ranks))
    return {"outputs": api.output(training.forward_backward_custom([pair(api)], handle))}


@situation()
def streamed_sample(api: Any) -> dict[str, Any]:
    """No SDK streams; the reference client does, as later releases of the Elixir client do."""
    sampling = api.sampling(base_model=BASE)
    api.needs("sample_stream", sampling)
    return {
        "tokens": [one.token_id for one in sampling.sample_stream(api.prompt(TOKENS), short(api))]
    }


@situation()
def unloaded_model(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    api.needs("unload_model", training)
    api.wait(training.unload_model())
    failure = api.failure(lambda: api.wait(training.forward([pair(api)], "cross_entropy")))
    return {"after": failure}
