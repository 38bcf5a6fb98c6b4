"""Bad input reaches the user as an exception that names the field, and harms nothing else."""

import json
from typing import Any

import httpx
import pytest

from tests.sdk.running import run_script
from tinker_mock.suite.sdk.environment import newest

NAMED = {
    "unknown model": "base_model",
    "missing target_tokens": "target_tokens",
    "wrong dtype": "target_tokens",
    "length mismatch": "target_tokens",
    "unknown checkpoint": "model_path",
    "token outside the vocabulary": "target_tokens",
}


@pytest.mark.parametrize("version", ["0.7.0", "0.24.1", newest()])
def test_the_sdk_names_the_field(version: str, tinker_mock: Any) -> None:
    seen = run_script(version, "mistakes_script.py", tinker_mock.url)

    for mistake, field in NAMED.items():
        assert field in seen[mistake]["message"], (mistake, seen[mistake])
    assert seen["unknown model"]["type"] not in {None, "InternalServerError"}
    assert "loss:sum" in seen["afterwards"]

    # No mistake is answered with something the SDK retries: the user is told at the first attempt.
    entries = httpx.get(f"{tinker_mock.url}/_mock/journal", timeout=60).json()["entries"]
    refused = [entry for entry in entries if entry["status"] >= 400 and entry["status"] != 408]
    assert refused
    assert all(entry["status"] < 500 for entry in refused)
    assert {entry["request_headers"]["x-stainless-retry-count"] for entry in refused} == {"0"}


MALFORMED: dict[str, tuple[dict[str, str], bytes, int, str]] = {
    "malformed JSON": ({"Content-Type": "application/json"}, b'{"model_id": ', 400, "JSON"),
    "malformed protobuf": (
        {"Content-Type": "application/x-protobuf"},
        b"\xff\xff\xff\xff\x07nonsense",
        400,
        "ForwardBackwardRequest",
    ),
    "no key": ({"X-API-Key": ""}, b"{}", 401, "X-API-Key"),
    "a key of another kind": ({"X-API-Key": "sk-123"}, b"{}", 401, "tml-"),
    "an unknown media type": ({"Content-Type": "text/csv"}, b"a,b", 415, "Content-Type"),
    "a body that is not zstd": (
        {"Content-Type": "application/x-protobuf", "Content-Encoding": "zstd"},
        b"plain",
        400,
        "zstd",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_requests_are_refused(case: str, tinker_mock: Any) -> None:
    headers, body, status, named = MALFORMED[case]
    url = f"{tinker_mock.url}/api/v1/forward_backward"
    headers = {"Content-Type": "application/json", "X-API-Key": "tml-mistakes", **headers}

    answer = httpx.post(url, headers=headers, content=body, timeout=60)

    assert answer.status_code == status
    assert named in json.dumps(answer.json())
    assert httpx.get(f"{tinker_mock.url}/api/v1/healthz", timeout=60).json() == {"status": "ok"}
