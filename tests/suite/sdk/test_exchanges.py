"""What counts as broken on the wire of a release."""

from typing import Any

import pytest

from tinker_mock.suite.sdk.exchanges import judge


def entry(operation: str | None, body: Any = None, **fields: Any) -> dict[str, Any]:
    return {
        "operation": operation,
        "method": "POST",
        "path": f"/api/v1/{operation}",
        "status": 200,
        "verdict": "ok",
        "violations": [],
        "request_type": "application/json",
        "request_headers": {},
        "request_body": body,
        "response_body": {},
        **fields,
    }


HEARTBEAT = {"session_id": "s", "type": "session_heartbeat"}
VIOLATION = {"pointer": "/model_id", "message": "missing", "rule": "required"}
BROKEN = {
    "a field the contract lacks": (
        entry("session_heartbeat", {**HEARTBEAT, "mood": 1}),
        "/mood: not in the contract",
    ),
    "a field younger than the release": (
        entry("create_session", {"tags": [], "user_metadata": {}, "display_name": "x"}),
        "/display_name: the contract says SDK 0.34–",
    ),
    "an operation younger than the release": (
        entry("search_sessions", {}),
        "search_sessions is for SDK 0.36–",
    ),
    "a request the mock let through": (
        entry("get_info", {}, violations=[VIOLATION], verdict="request"),
        "/model_id: missing",
    ),
    "an answer out of contract": (
        entry("get_info", {}, violations=[VIOLATION], verdict="response", status=404),
        "/model_id: missing",
    ),
    "a header younger than the release": (
        entry("session_heartbeat", HEARTBEAT, request_headers={"x-sdk-version": "0.16.1"}),
        "header x-sdk-version: not in the contract for this release",
    ),
    "a header of another operation": (
        entry("session_heartbeat", HEARTBEAT, request_headers={"x-tinker-request-type": "Sample"}),
        "header x-tinker-request-type: not in the contract for this release",
    ),
    "a path nobody knows": (entry(None, status=404), "no operation of the contract"),
    "a result that does not fit": (
        entry(
            "retrieve_future",
            {"request_id": "r"},
            request_headers={"x-tinker-request-type": "SaveWeights"},
            response_body={"type": "save_weights"},
        ),
        "result /path: required field 'path' is missing",
    ),
}


@pytest.mark.parametrize(("seen", "said"), BROKEN.values(), ids=BROKEN)
def test_broken(seen: dict[str, Any], said: str) -> None:
    (problem,) = judge(seen, "0.16.1")
    assert problem.endswith(said)


FINE = {
    "a request": entry("session_heartbeat", HEARTBEAT),
    "a refused mistake": entry(
        "get_info", {}, violations=[VIOLATION], verdict="request", status=422
    ),
    "a pending promise": entry(
        "retrieve_future",
        {"request_id": "r"},
        request_headers={"x-tinker-request-type": "SaveWeights"},
        response_body={"type": "try_again", "request_id": "r", "queue_state": "active"},
    ),
    "a failed promise": entry(
        "retrieve_future",
        {"request_id": "r"},
        request_headers={"x-tinker-request-type": "SaveWeights"},
        response_body={"error": "no", "category": "user"},
    ),
    "a null from an old release": entry(
        "create_session", {"tags": [], "user_metadata": None, "project_id": None}
    ),
}


@pytest.mark.parametrize("seen", FINE.values(), ids=FINE)
def test_fine(seen: dict[str, Any]) -> None:
    assert judge(seen, "0.16.1") == []
