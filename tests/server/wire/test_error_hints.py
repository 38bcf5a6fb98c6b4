"""Every refusal names field, rule, requirement and fix; every requirement is in the ledger."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import tinker_mock.server
from tinker_mock.contracts import load_contract
from tinker_mock.contracts.ledger import load_ledger
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.wire.error_hints import REQUIREMENTS

ROWS = set(load_ledger())
OPERATIONS = {op for name in ("tinker", "inference") for op in load_contract(name).operations}


def test_the_table_names_rows_of_the_ledger_and_operations_of_the_contract() -> None:
    assert set(REQUIREMENTS.values()) <= ROWS
    assert {operation for _, operation in REQUIREMENTS} - {"", "*"} <= OPERATIONS


def test_requirements_named_in_the_code_are_in_the_ledger() -> None:
    root = Path(tinker_mock.server.__file__).parent
    code = "\n".join(path.read_text("utf-8") for path in root.rglob("*.py"))
    named = set(re.findall(r'requirement="([^"]+)"', code))
    assert named
    assert named <= ROWS


SAMPLE = {"sampling_session_id": "x", "seq_id": 0, "prompt": {"chunks": []}, "sampling_params": {}}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "retrieve_future", {"request_id": "unknown"}, 404),
        ("POST", "retrieve_future", {}, 422),
        ("POST", "asample", SAMPLE, 404),
        ("POST", "asample", {**SAMPLE, "sampling_params": {"top_p": 7}}, 422),
        ("POST", "session_heartbeat", {"session_id": "unknown"}, 403),
        ("POST", "get_info", {"model_id": "unknown"}, 404),
        ("POST", "optim_step", {"model_id": "m", "seq_id": 1, "adam_params": {}}, 404),
        ("POST", "weights_info", {"tinker_path": "tinker://a/weights/b"}, 404),
        ("GET", "training_runs/unknown", None, 404),
        ("GET", "training_runs?limit=many", None, 422),
        ("GET", "sessions/unknown", None, 404),
        ("PATCH", "sessions", None, 405),
        ("GET", "sesions", None, 404),
    ],
)
def test_a_refusal_says_what_to_do(
    method: str, path: str, body: Any, status: int, tinker_mock_session: RunningServer
) -> None:
    key = {"X-API-Key": "tml-diagnosis"}
    url = f"{tinker_mock_session.url}/api/v1/{path}"
    answer = httpx.request(method, url, json=body, headers=key, timeout=60)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["requirement"] in ROWS
    assert error["rule"]
    assert error["fix"]
    in_full = answer.json()["detail"] == "Invalid session_id"  # the service's own words
    assert in_full or error["fix"] in answer.json()["detail"]
    if status == 422:
        assert error["field"].startswith("/")


def test_without_a_key(tinker_mock_session: RunningServer) -> None:
    answer = httpx.get(f"{tinker_mock_session.url}/api/v1/sessions", timeout=60)
    error = answer.json()["error"]
    assert (answer.status_code, error["field"]) == (401, "header:X-API-Key")
    assert (error["requirement"], bool(error["fix"])) == ("auth/refusal/status", True)


@pytest.mark.parametrize(
    ("body", "fix"),
    [
        ({"num_samples": 0}, "expected at least 1"),
        ({"sampling_params": {"top_p": 1.5}}, "expected at most 1"),
    ],
)
def test_the_fix_of_a_bound_says_on_which_side_of_it_to_be(body: dict[str, Any], fix: str) -> None:
    with RunningServer() as server:
        url = f"{server.url}/api/v1/asample"
        answer = httpx.post(url, json={**SAMPLE, **body}, headers={"X-API-Key": "tml-hints"})
    assert answer.json()["error"]["fix"] == fix
