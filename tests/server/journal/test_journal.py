"""The journal over HTTP: verdicts, queries, waiting, verification, exports, feed, redaction."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr

from tinker_mock.contracts import load_contract
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

TEXT = load_contract("inference")
ENTRY = load_contract("control").operations["query_journal"]


@pytest.fixture
def http(tinker_mock: RunningServer) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": "tml-secret-key"}
    with httpx.Client(base_url=tinker_mock.url, headers=headers, timeout=60) as client:
        yield client


def journal(http: httpx.Client, **query: Any) -> list[dict[str, Any]]:
    answer = http.get("/_mock/journal", params=query)
    assert ENTRY.check_response(answer.status_code, answer.json()) == []
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


def session(http: httpx.Client, **more: Any) -> httpx.Response:
    told = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0", **more}
    return http.post("/api/v1/create_session", json=told)


def test_every_exchange_has_a_verdict(http: httpx.Client) -> None:
    session(http)
    session(http, colour="blue")
    session(http, tags=7)
    http.get("/api/v1/sessions/unknown")
    http.get("/api/v1/sesions")
    http.get("/api/v1/healthz", headers={"X-Tinker-Mock-Effect": "return-503"})
    entries = journal(http)
    verdicts = ["ok", "ok", "request", "refused", "request", "fault"]
    assert [entry["verdict"] for entry in entries] == verdicts
    assert [entry["number"] for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert entries[1]["unknown_fields"] == ["/colour"]
    assert entries[2]["violations"][0]["pointer"] == "/tags"
    assert "GET /api/v1/sessions" in entries[4]["violations"][0]["fix"]
    assert entries[5]["effects"] == "return-503"


def test_queries_narrow(http: httpx.Client) -> None:
    session(http, display_name="one")
    session(http, display_name="two")
    http.get("/api/v1/sessions")
    assert len(journal(http, operation="create_*")) == 2
    assert [e["number"] for e in journal(http, limit=1, offset=1)] == [2]
    assert [e["number"] for e in journal(http, after=2)] == [3]
    assert journal(http, status=404) == []
    count = http.get("/_mock/journal/count", params={"method": "GET"}).json()
    assert count == {"count": 1, "forgotten": 0}


def test_waiting_for_a_count_ends_with_the_exchange(http: httpx.Client) -> None:
    query = {"operation": "create_session", "count": 2, "timeout": 30}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(http.get, "/_mock/journal/wait", params=query)
        session(http)
        session(http)
        answer = waiting.result(timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"count": 2})
    late = http.get("/_mock/journal/wait", params={**query, "count": 9, "timeout": 0})
    assert (late.status_code, late.json()) == (408, {"count": 2})


def test_verification_names_the_nearest_exchange(http: httpx.Client) -> None:
    session(http, display_name="one")
    http.get("/api/v1/sessions")
    good = [
        {"operation": "create_session", "status": 200, "body": {"/display_name": "one"}},
        {"operation": "list_sessions", "count": 1},
    ]
    body = {"expectations": good, "in_order": True}
    verified = http.post("/_mock/journal/verify", json=body)
    assert verified.json() == {"verified": True, "counts": [1, 1], "forgotten": 0}
    body = {"expectations": good[::-1], "in_order": True}
    assert http.post("/_mock/journal/verify", json=body).status_code == 409
    wrong = {"operation": "create_session", "body": {"/display_name": "two"}}
    refused = http.post("/_mock/journal/verify", json={"expectations": [wrong]})
    assert refused.status_code == 409
    difference = {"field": "body/display_name", "expected": "two", "actual": "one"}
    error = refused.json()["error"]
    assert error["nearest"] == {
        "number": 1,
        "operation": "create_session",
        "differences": [difference],
    }
    assert "was seen 0 times, expected at least 1" in refused.json()["detail"]


def test_secrets_never_reach_the_journal(http: httpx.Client) -> None:
    http.post("/api/v1/client/config", json={"sdk_version": "0.38.0"})
    http.post("/api/v1/auth/token", json={})
    event = {"event": "x", "headers": {"X-API-Key": "tml-secret-key"}, "text": "key tml-secret-key"}
    http.post("/api/v1/telemetry", json={"events": [event]})
    kept = http.get("/_mock/journal/export", params={"format": "jsonl"}).text
    assert "tml-secret-key" not in kept
    assert "eyJ" not in kept
    assert "<redacted" in kept


def test_exports(http: httpx.Client, tmp_path: Path, tinker_mock: RunningServer) -> None:
    session(http)
    http.get("/api/v1/healthz")
    http.get("/api/v1/healthz", headers={"X-Tinker-Mock-Effect": "truncate-to-3"})

    def export(form: str) -> httpx.Response:
        return http.get("/_mock/journal/export", params={"format": form})

    lines = export("jsonl").text.splitlines()
    assert [json.loads(line)["operation"] for line in lines] == ["create_session"] + ["healthz"] * 2
    archive = export("har").json()["log"]
    assert archive["version"] == "1.2"
    first = archive["entries"][0]
    assert json.loads(first["request"]["postData"]["text"])["sdk_version"] == "0.38.0"
    assert first["response"]["content"]["size"] == first["response"]["bodySize"]
    assert first["request"]["url"] == f"{tinker_mock.url}/api/v1/create_session"
    cassette = tmp_path / "journal.yaml"
    cassette.write_bytes(export("cassette").content)
    with vcr.use_cassette(str(cassette), record_mode=vcr.mode.NONE):
        replayed = httpx.get("http://tinker-mock.invalid/api/v1/healthz")
    assert replayed.json() == {"status": "ok"}


def test_the_feed_tells_exchanges_as_they_happen(
    http: httpx.Client, tinker_mock: RunningServer
) -> None:
    opened, told = threading.Event(), []

    def watch() -> None:
        with httpx.stream("GET", f"{tinker_mock.url}/_mock/journal/feed", timeout=60) as feed:
            for line in feed.iter_lines():
                opened.set()
                if line.startswith("data: "):
                    told.append(json.loads(line[6:]))
                    return

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert opened.wait(60)
    session(http)
    watcher.join(60)
    assert [entry["operation"] for entry in told] == ["create_session"]


@pytest.mark.tinker_mock(clock="auto")
def test_streams_are_kept_as_timed_frames(http: httpx.Client) -> None:
    told = {"model": "Qwen/Qwen3-8B", "prompt": [1, 2, 3], "max_tokens": 4, "stream": True}
    effect = {"X-Tinker-Mock-Effect": "slow-events-2s", "Authorization": "Bearer tml-secret-key"}
    (operation,) = [op for op in TEXT.operations.values() if op.id == "create_completion"]
    streamed = http.post(operation.path, json=told, headers=effect)
    assert streamed.status_code == 200, streamed.text
    # A stream's entry is complete a moment after its last byte.
    query = {"operation": "create_completion", "count": 1, "timeout": 30}
    assert http.get("/_mock/journal/wait", params=query).status_code == 200
    (entry,) = journal(http, operation="create_completion")
    frames = entry["response_body"]["frames"]
    assert "".join(frame["text"] for frame in frames) == streamed.text
    assert frames[0]["t_ms"] == 0
    assert frames[-1]["t_ms"] >= 2000 * (len(frames) - 2)
    archive = http.get("/_mock/journal/export", params={"format": "har"}).json()
    assert archive["log"]["entries"][0]["response"]["content"]["text"] == streamed.text


@pytest.mark.tinker_mock(journal_size=3)
def test_the_ring_is_bounded_and_forgets(http: httpx.Client) -> None:
    for _ in range(5):
        http.get("/api/v1/healthz")
    assert [entry["number"] for entry in journal(http)] == [3, 4, 5]
    assert http.request("DELETE", "/_mock/journal").json() == {"count": 3}
    assert journal(http) == []
    http.get("/api/v1/healthz")
    assert journal(http)[0]["number"] == 1


def test_the_exit_report_counts_violations(capsys: pytest.CaptureFixture[str]) -> None:
    with RunningServer(Settings(port=0, fail_on="violation")) as server:
        url = f"{server.url}/api/v1/create_session"
        for _ in range(2):
            httpx.post(url, json={"tags": 7}, headers={"X-API-Key": "tml-a"}, timeout=60)
        control = server.app.state.mock.control
    assert control.exit_report() == 1
    told = capsys.readouterr().err
    assert "2 exchanges" in told
    assert "2 x client: create_session: /tags:" in told


def test_after_a_reset_what_is_still_open_comes_first(tinker_mock: RunningServer) -> None:
    held = "queue:\n  completion: [{manual: true}]"
    with httpx.Client(base_url=tinker_mock.url, headers={"X-API-Key": "tml-a"}, timeout=60) as http:
        http.put("/_mock/scenario", json={"yaml": held})
        told = {"session_id": session(http).json()["session_id"], "model_seq_id": 0}
        told |= {"base_model": "Qwen/Qwen3-8B", "lora_config": {"rank": 4}}
        future = http.post("/api/v1/create_model", json=told).json()
        with ThreadPoolExecutor(1) as pool:
            poll = pool.submit(http.post, "/api/v1/retrieve_future", json=future)
            while http.get("/_mock/state").json()["parked"] == 0:
                pass
            assert http.request("DELETE", "/_mock/journal").json() == {"count": 2}
            http.get("/api/v1/healthz")
            http.post(f"/_mock/promises/{future['request_id']}/complete")
            assert poll.result(timeout=60).status_code == 200
        numbers = {entry["operation"]: entry["number"] for entry in journal(http)}
    assert numbers == {"retrieve_future": 1, "healthz": 2}
