"""Keys, tokens, usage, storage, audit, telemetry, capabilities and flags."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import TOKENS, Api, datum, sample, training_step
from tinker_mock.server.catalog.prices import token_rate
from tinker_mock.server.serving.in_thread import RunningServer

WINDOW = {"starting_on": "2026-01-01T00:00:00Z", "ending_before": "2026-01-02T00:00:00Z"}


def claims(jwt: str) -> dict[str, Any]:
    segment = jwt.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=="))
    return found


@pytest.mark.tinker_mock(clock="manual", jwt_lifetime=100.0)
def test_a_token_stands_for_its_key_until_it_expires(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-jwt")
    with api.http:
        session = api.session()
        jwt = api.post("auth/token", {}).json()["jwt"]
        told = claims(jwt)
        assert told["exp"] - told["iat"] == 100
        assert {"sub", "email", "org_id"} <= set(told)
        bearer = Api(tinker_mock, jwt)
        with bearer.http:
            assert bearer.get("sessions").json() == {"sessions": [session]}
            forged = bearer.http.get("/api/v1/sessions", headers={"X-API-Key": jwt[:-4] + "AAAA"})
            tinker_mock.call(tinker_mock.mock.clock.run_for(100))
            expired = bearer.get("sessions")
        for refused in (forged, expired):
            assert refused.status_code == 401
            assert 'error="invalid_token"' in refused.headers["www-authenticate"]


def test_a_deleted_key_is_no_key(api: Api) -> None:
    me = api.get("auth/apikey/me").json()
    assert me["details"]["user_details"]["email"].endswith(".invalid")
    assert api.http.delete("/api/v1/auth/apikey/me").status_code == 200
    refused = api.get("auth/apikey/me")
    assert refused.status_code == 401
    assert "deleted" in refused.json()["detail"]


def test_a_logged_in_user_makes_keys(api: Api) -> None:
    body = {"name": "laptop", "note": "for tests"}
    headers = {"X-API-Key": "", "Authorization": "Bearer access-token"}
    made = api.post("auth/apikey", body, **headers).json()
    mine = Api(api.server, made["api_key"])
    with mine.http:
        assert mine.get("auth/apikey/me").json()["name"] == "laptop"


@pytest.mark.tinker_mock(clock="manual")
def test_usage_is_what_was_done(tinker_mock: RunningServer) -> None:
    api, other = Api(tinker_mock, "tml-usage"), Api(tinker_mock, "tml-other")
    with api.http, other.http:
        session = api.session(user_metadata={"team": "x"})
        model = api.model(session)
        api.done("forward_backward", training_step(model, 1))
        told = api.done("asample", sample(api.sampler(session), 0, num_samples=2))
        api.done("save_weights", {"model_id": model, "seq_id": 2, "path": "a"})
        tinker_mock.call(tinker_mock.mock.clock.run_for(7200))
        usage = api.get("billing/usage/events", **WINDOW).json()
        assert other.get("billing/usage/events", **WINDOW).json()["data"] == []
        now = api.get("billing/usage/checkpoints/current").json()["data"][0]
    info = {}
    for event in usage["data"]:
        info.setdefault(event["event_info"]["type"], []).append(event["event_info"])
    sampled = sum(len(sequence["tokens"]) for sequence in told["sequences"])
    assert info["training"] == [{"type": "training", "token_count": len(TOKENS) - 1}]
    assert info["sampling_prefill"][0]["token_count"] == len(TOKENS)
    assert info["sampling_sample"][0]["token_count"] == sampled
    assert info["checkpoint"] == [{"type": "checkpoint", "count": 1}]
    hours = [entry["gigabyte_hours"] for entry in info["storage"]]
    assert len(hours) == 2
    assert hours == pytest.approx([now["size_gigabytes"]] * 2)
    assert usage["sessions"] == {session: {"user_metadata": {"team": "x"}}}


@pytest.mark.parametrize(
    ("start", "end", "status", "words"),
    [
        ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", 400, "ending_before: must be later"),
        ("2026-01-01T00:30:00Z", "2026-01-02T00:00:00Z", 400, "starting_on: must be a full hour"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", 400, "ending_before: must be a full hour"),
        ("2026-01-01T00:00:00Z", "2026-01-15T01:00:00Z", 400, "at most 14 days"),
        ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", 400, "not be in the future"),
        ("2026-01-01T00:00:00", "2026-01-02T00:00:00Z", 422, "add Z"),
        ("2026-01-01T01:00:00+01:00", "2026-01-15T00:00:00Z", 200, ""),
    ],
)
@pytest.mark.tinker_mock(clock="manual")
def test_a_window_of_usage_has_full_hours_and_at_most_14_days(
    tinker_mock: RunningServer, start: str, end: str, status: int, words: str
) -> None:
    api = Api(tinker_mock, "tml-window")
    with api.http:
        answer = api.get("billing/usage/events", starting_on=start, ending_before=end)
    assert answer.status_code == status
    assert words in answer.text


@pytest.mark.tinker_mock(clock="manual")
def test_costs_follow_the_published_prices(tinker_mock: RunningServer) -> None:
    """Qwen3-8B: .195, .60 and .44 a million tokens; a forward pass costs what training does."""
    api = Api(tinker_mock, "tml-costs")
    with api.http:
        session = api.session()
        model = api.model(session)
        forward = {"data": [datum()], "loss_fn": "cross_entropy"}
        api.done("forward", {"model_id": model, "seq_id": 1, "forward_input": forward})
        told = api.done("asample", sample(api.sampler(session), 0))
        api.done("save_weights", {"model_id": model, "seq_id": 2, "path": "a"})
        tinker_mock.call(tinker_mock.mock.clock.run_for(3600))
        events = api.get("billing/usage/events", **WINDOW).json()["data"]
        stored = api.get("billing/usage/checkpoints/current").json()
    by_type = {event["event_info"]["type"]: event for event in events}
    passed, sampled = len(TOKENS) - 1, len(told["sequences"][0]["tokens"])
    assert by_type["training"]["event_info"]["token_count"] == passed
    assert by_type["training"]["estimated_cost_usd"] == pytest.approx(passed * 0.44e-6)
    assert by_type["sampling_prefill"]["effective_rate_usd_per_million_tokens"] == 0.195
    assert by_type["sampling_sample"]["estimated_cost_usd"] == pytest.approx(sampled * 0.60e-6)
    assert stored["effective_rate_usd_per_gigabyte_month"] == 0.10
    size = stored["data"][0]["size_gigabytes"]
    assert by_type["storage"]["estimated_cost_usd"] == pytest.approx(size * 0.10 / 720)


def test_cached_prefill_costs_a_fifth_and_unknown_models_have_no_price() -> None:
    assert token_rate("Qwen/Qwen3-8B", "sampling_prefill", cached=True) == pytest.approx(0.039)
    assert token_rate("Qwen/Qwen3-8B:peft:131072", "training") is None
    assert token_rate("Qwen/Qwen3-8B", "checkpoint") is None


@pytest.mark.tinker_mock(clock="manual")
def test_the_audit_log_tells_checkpoint_events_of_a_day(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-audit")
    with api.http:
        model = api.model()
        saved = api.done("save_weights", {"model_id": model, "seq_id": 1, "path": "a"})["path"]
        api.post(f"training_runs/{model}/checkpoints/weights/a/publish")
        day = {"event_type": "checkpoints", "day": "2026-01-01"}
        entries = api.get("audit", **day).json()["entries"]
        names = [entry["event"] for entry in entries]
        assert names == ["checkpoint_create", "checkpoint_publish"]
        assert all(entry["event_details"]["tinker_path"] == saved for entry in entries)
        assert {entry["tinker_path"] for entry in entries} == {saved}
        assert api.get("audit", **{**day, "day": "2020-01-01"}).json() == {"entries": []}
        everything = api.get("audit").json()["entries"]
        assert everything[0]["event"] == "session_create"


def test_telemetry_is_accepted_and_counted(api: Api) -> None:
    event = {
        "event": "GENERIC_EVENT",
        "event_id": "1",
        "event_name": "tick",
        "event_session_index": 0,
        "severity": "INFO",
        "timestamp": "2026-01-01T00:00:00Z",
    }
    batch = {"events": [event] * 3, "platform": "x", "sdk_version": "0.7.0", "session_id": "tele"}
    assert api.post("telemetry", batch).json() == {"status": "accepted"}
    assert api.server.mock.state.telemetry["tele"].events == {"tick": 3}


def test_capabilities_list_every_model(api: Api) -> None:
    models = api.get("get_server_capabilities").json()["supported_models"]
    names = {model["model_name"] for model in models}
    assert {"Qwen/Qwen3-8B", "moonshotai/Kimi-K2.6:peft:131072", "openai/gpt-oss-20b"} <= names
    assert all(model["max_context_length"] > 0 for model in models)


@pytest.mark.tinker_mock(
    client_config={"pjwt_auth_enabled": True}, dynamic_config={"refresh_interval_sec": 10}
)
def test_flags_are_those_of_the_run(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-flags")
    with api.http:
        told = {"sdk_version": "0.38.0"}
        assert api.post("client/config", told).json() == {"pjwt_auth_enabled": True}
        assert api.post("client/dynamic_config", told).json() == {"refresh_interval_sec": 10}


def test_what_is_known_of_a_model(api: Api) -> None:
    model = api.model(base_model="openai/gpt-oss-120b:peft:131072", lora_config={"rank": 4})
    info = api.post("get_info", {"model_id": model}).json()
    assert (Path(info["model_data"]["tokenizer_id"]) / "tokenizer.json").is_file(), "a stand-in's"
    assert (info["lora_rank"], info["model_name"]) == (4, "openai/gpt-oss-120b:peft:131072")
    run = api.get(f"training_runs/{model}").json()
    assert (run["lora_rank"], run["is_lora"], run["corrupted"]) == (4, True, False)


def test_a_creation_is_repeatable_and_its_number_unique(api: Api) -> None:
    body = {"session_id": api.session(), "model_seq_id": 0, "base_model": "Qwen/Qwen3-8B"}
    first = api.post("create_model", body).json()
    assert api.post("create_model", body).json() == first
    other = api.post("create_model", {**body, "base_model": "Qwen/Qwen3.5-4B"})
    assert other.status_code == 409
    unknown = api.post("create_model", {**body, "model_seq_id": 1, "base_model": "Qwen/Qwen3-8"})
    assert unknown.status_code == 400
    assert unknown.json()["error"]["close_matches"][0] == "Qwen/Qwen3-8B"
