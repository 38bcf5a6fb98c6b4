"""Health, capabilities and the configuration that clients ask for first."""

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import expect, expect_equal
from tinker_mock.suite.server.scenario import scenario

FLAGS = {
    "pjwt_auth_enabled": bool,
    "parallel_fwdbwd_chunks": bool,
    "proto_write_fwdbwd": bool,
    "proto_compress_fwdbwd": bool,
    "fwd_via_fwdbwd": bool,
    "sample_use_retrieve_futures": bool,
    "sample_join_sampling_session": bool,
    "custom_loss_server_side": bool,
    "sample_no_retries": bool,
    "credential_default_source": str,
    "sample_dispatch_bytes_semaphore_size": int,
    "inflight_response_bytes_semaphore_size": int,
    "sample_max_concurrent_requests": int,
    "fwdbwd_max_chunk_len": int,
    "fwdbwd_max_chunk_bytes_count": int,
    "billing_exception_max_pause_duration_sec": int,
}


@scenario("service/health-and-models", reads_only=True)
def health_and_models(context: ScenarioContext) -> None:
    """A client looks whether the server is there and what it offers."""
    with context.check("service/healthz/ok"):
        expect_equal(context.client.call("healthz").require(200).at("/status"), "ok", "healthy")
    with context.check("service/healthz/no-key"):
        context.client.call("healthz", headers={"x-api-key": None}).require(200)
    reply = context.client.call("get_server_capabilities")
    with context.check("service/capabilities/models"):
        models = reply.require(200).at("/supported_models")
        expect(isinstance(models, list) and models, "models are listed", "a list", models)
    models = reply.require().at("/supported_models")
    with context.check("service/capabilities/names"):
        nameless = [model for model in models if not model.get("model_name")]
        expect(not nameless, "each model has a model_name", "a string", nameless[:1])
    with context.check("service/capabilities/context-length"):
        lengths = [model.get("max_context_length") for model in models]
        good = all(isinstance(length, int) and length > 0 for length in lengths)
        expect(good, "each model has a max_context_length", "positive integers", lengths)
    with context.check("service/capabilities/unique"):
        names = [model["model_name"] for model in models if model.get("model_name")]
        expect_equal(len(set(names)), len(names), "model names are unique")


@scenario("service/configuration", reads_only=True)
def configuration(context: ScenarioContext) -> None:
    """A client of 0.18 or later asks for its flags before anything else."""
    reply = context.client.call("get_client_config", {"sdk_version": context.target.release})
    with context.check("service/client-config/object"):
        expect(isinstance(reply.require(200).json(), dict), "an object", "object", reply.text)
    dynamic = context.client.call("get_dynamic_config", {"sdk_version": context.target.release})
    with context.check("service/dynamic-config/answered"):
        dynamic.require(200, 404)
    with context.check("service/dynamic-config/interval"):
        if dynamic.status == 200 and "refresh_interval_sec" in dynamic.json():
            interval = dynamic.at("/refresh_interval_sec")
            expect(type(interval) is int and interval > 0, "a positive integer", "int", interval)
    flags = reply.require(200).json()
    expect(isinstance(flags, dict), "the flags are an object", "an object", flags)
    with context.check("service/client-config/no-null-flags"):
        nulls = [name for name in FLAGS if name in flags and flags[name] is None]
        expect(not nulls, "flags are never null", "absent or a value", nulls)
    with context.check("service/client-config/flag-types"):
        wrong = [n for n, kind in FLAGS.items() if n in flags and type(flags[n]) is not kind]
        expect(not wrong, "flags have their types", FLAGS, {name: flags[name] for name in wrong})
    with context.check("service/client-config/chunk-limits"):
        limits = [flags.get(n, 1) for n in ("fwdbwd_max_chunk_len", "fwdbwd_max_chunk_bytes_count")]
        expect(all(limit > 0 for limit in limits), "chunk limits are positive", "> 0", limits)
    with context.check("service/client-config/any-version"):
        for version in ("0.18.2", "0.25.0", "0.38.0"):
            context.client.call("get_client_config", {"sdk_version": version}).require(200)


@scenario("service/edges", reads_only=False)
def edges(context: ScenarioContext) -> None:
    """Requests that no SDK release makes, and fields that the next one may add."""
    with context.check("service/unknown-path/404"):
        context.client.request("GET", "/api/v1/no-such-operation").require(404)
    with context.check("service/unknown-method/405"):
        context.client.request("DELETE", "/api/v1/healthz", wrong=True).require(404, 405)
    with context.check("service/keep-alive"):
        statuses = [context.client.call("healthz").status for _ in range(50)]
        expect(set(statuses) == {200}, "50 requests in a row are served", 200, set(statuses))
    with context.check("service/unknown-fields/ignored"):
        odd = context.session(a_field_of_the_future={"nested": [1, 2, 3]})
        body = {"session_id": odd, "type": "session_heartbeat"}
        context.client.call("session_heartbeat", body).require()
