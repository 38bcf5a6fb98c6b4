"""Programs for bad days: waiting, throttling, expiry, errors of each class, cancelling, flags.

Loaded in a real SDK's environment too: nothing but the standard library and `situation`.
"""

from typing import Any

from tinker_mock.suite.cassettes.situation import BASE, TOKENS, pair, rule, short, situation


@situation(rules=[rule("retrieve_future", ["try-again"] * 2, promise="forward_backward")])
def waiting(api: Any) -> dict[str, Any]:
    """Two polls come too early: 408 or try-again, whatever the release understands."""
    training = api.training(BASE, rank=4, seed=1)
    return {"outputs": api.output(training.forward_backward([pair(api)], "cross_entropy"))}


@situation(rules=[rule("retrieve_future", ["try-again-capacity"] * 2, promise="optim_step")])
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
    rules=[rule("get_training_run", [f"return-{s}" for s in (400, 401, 403, 422, 500, 503)])]
)
def refusals(api: Any) -> dict[str, Any]:
    """Errors of each class; what passes by itself is asked again."""
    return _refused(api, 4)


@situation(
    rules=[rule("get_training_run", [f"return-{s}" for s in (402, 404, 410, 409, 429, 502, 504)])]
)
def more_refusals(api: Any) -> dict[str, Any]:
    """The rarer ones: a bill, what is not there or no more, a conflict, a busy server."""
    return _refused(api, 3)


def _refused(api: Any, times: int) -> dict[str, Any]:
    run = api.training(BASE, rank=4, seed=1).model_id
    rest = api.rest()

    def ask() -> Any:
        return api.wait(rest.get_training_run(run)).base_model

    return {"failures": [api.failure(ask) for _ in range(times)], "after": ask()}


@situation("--client-config=sample_join_sampling_session=true")
def joined_session(api: Any) -> dict[str, Any]:
    """A sampling session is joined before its first sample, where the release knows how."""
    sampling = api.sampling(base_model=BASE)
    return {"samples": api.samples(sampling, TOKENS, 1, short(api))}


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
    api.until_polled()
    return {"cancelled": api.cancel(pending)}


@situation("--client-config=pjwt_auth_enabled=true")
def short_lived_token(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    return {"outputs": api.output(training.forward([pair(api)], "cross_entropy"))}


@situation("--client-config=proto_compress_fwdbwd=true", "--client-config=proto_write_fwdbwd=true")
def compressed_passes(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    return {"outputs": api.output(training.forward_backward([pair(api)], "cross_entropy"))}


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


@situation(clients=("python-latest", "tinkex"))
def streamed_sample(api: Any) -> dict[str, Any]:
    """No SDK streams; the reference client does, as later releases of the Elixir client do."""
    sampling = api.sampling(base_model=BASE)
    stream = sampling.sample_stream(api.prompt(TOKENS), short(api))
    return {"chunks": [[one.event_type, one.token_id, one.finish_reason] for one in stream]}


@situation(rules=[rule("stream_sample", "return-503")], clients=("python-latest", "tinkex"))
def refused_stream(api: Any) -> dict[str, Any]:
    """A stream is not asked for again by itself."""
    sampling = api.sampling(base_model=BASE)

    def drawn() -> list[Any]:
        return list(sampling.sample_stream(api.prompt(TOKENS), short(api)))

    return {"failure": api.failure(drawn), "after": len(drawn())}


@situation(clients=("python-0.7", "tinkex"))
def unloaded_model(api: Any) -> dict[str, Any]:
    training = api.training(BASE, rank=4, seed=1)
    api.wait(training.unload_model())
    failure = api.failure(lambda: api.wait(training.forward([pair(api)], "cross_entropy")))
    return {"after": failure}
