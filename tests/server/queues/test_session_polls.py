"""Polls for a whole sampling session count as polls of each of its promises."""

from typing import Any

import httpx
import pytest

from tinker_mock.server.serving.in_thread import RunningServer

POLLED = "queue:\n  completion: [{operation: asample, polls: 2}]"


@pytest.mark.tinker_mock(clock="auto")
def test_a_session_poll_is_a_poll_of_each_promise(tinker_mock: RunningServer) -> None:
    headers = {"X-API-Key": "tml-session"}
    with httpx.Client(base_url=f"{tinker_mock.url}/api/v1", headers=headers, timeout=60) as http:
        scenario = httpx.put(f"{tinker_mock.url}/_mock/scenario", json={"yaml": POLLED}, timeout=60)
        assert scenario.status_code == 200
        told: dict[str, Any] = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0"}
        session = http.post("/create_session", json=told).json()["session_id"]
        source: dict[str, Any] = {"session_id": session, "base_model": "Qwen/Qwen3-8B"}
        answer = http.post(
            "/create_sampling_session", json={**source, "sampling_session_seq_id": 0}
        )
        sampler = answer.json()["sampling_session_id"]
        prompt = {"chunks": [{"type": "encoded_text", "tokens": [1, 2]}]}
        body = {"sampling_session_id": sampler, "prompt": prompt, "sampling_params": {}}
        body["sampling_params"] = {"max_tokens": 2}
        asked = [http.post("/asample", json={**body, "seq_id": n}).json() for n in range(3)]
        target = {"type": "sampling_session", "sampling_session_id": sampler}
        poll: dict[str, Any] = {"target": target, "prev_cursor": 0}
        assert http.post("/retrieve_futures", json=poll).json() == {"completions": [], "cursor": 0}
        done: set[str] = set()
        while len(done) < len(asked):
            told = http.post("/retrieve_futures", json=poll).json()
            assert told["cursor"] > poll["prev_cursor"]
            poll["prev_cursor"] = told["cursor"]
            done |= {completion["request_id"] for completion in told["completions"]}
    assert done == {future["request_id"] for future in asked}
