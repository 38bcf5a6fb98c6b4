"""The server as a process: announced, reachable under both prefixes, stopped without delay."""

import os
import ssl
import subprocess
import sys
import threading
from importlib.util import find_spec
from typing import Any

import httpx
import pytest

from tests.server.commands import served

SERVERS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            find_spec(name) is None, reason=f"{name} is not installed (extra `servers`)"
        ),
    )
    for name in ("hypercorn", "uvicorn", "granian")
]


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_carries_the_app(name: str) -> None:
    with (
        served("--server", name) as told,
        httpx.Client(base_url=told["TINKER_BASE_URL"], timeout=60) as http,
    ):
        headers = {"X-API-Key": told["TINKER_API_KEY"]}
        for prefix in ("", "/services/tinker-prod"):
            assert http.get(f"{prefix}/api/v1/healthz").json() == {"status": "ok"}
            models = http.get(f"{prefix}/api/v1/get_server_capabilities", headers=headers).json()
            assert len(models["supported_models"]) > 30


def test_tls_speaks_http_2() -> None:
    with served("--tls") as told:
        trusted = ssl.create_default_context(cafile=told["SSL_CERT_FILE"])
        with httpx.Client(http2=True, verify=trusted, timeout=60) as http:
            answer = http.get(f"{told['TINKER_BASE_URL']}/api/v1/healthz")
        assert answer.http_version == "HTTP/2"
        assert os.path.exists(told["SSL_CERT_FILE"])
    assert not os.path.exists(told["SSL_CERT_FILE"])


@pytest.mark.parametrize("name", SERVERS)
def test_parked_polls_do_not_hold_up_the_end(name: str) -> None:
    seen: list[Any] = []
    with served("--server", name) as told:
        headers = {"X-API-Key": "tml-x"}
        http = httpx.Client(base_url=told["TINKER_BASE_URL"], headers=headers, timeout=60)

        def post(path: str, body: dict[str, Any]) -> Any:
            return http.post(f"/api/v1/{path}", json=body)

        session = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
        session_id = post("create_session", session).json()["session_id"]
        model = {"session_id": session_id, "model_seq_id": 0, "base_model": "Qwen/Qwen3-8B"}
        model_id = post("create_model", model).json()["model_id"]
        step = {"model_id": model_id, "seq_id": 2, "adam_params": {}}
        waiting = post("optim_step", step).json()["request_id"]
        poll = threading.Thread(
            target=lambda: seen.append(post("retrieve_future", {"request_id": waiting}))
        )
        poll.start()
        while not http.get("/_mock/state").json()["parked"]:
            pass
    poll.join(timeout=60)
    http.close()
    assert [answer.status_code for answer in seen] == [503]


WRONG = {
    "unknown clock": (["--clock", "sundial"], "sundial"),
    "no such models file": (["--models", "nowhere.yaml"], "nowhere.yaml"),
    "no such scenario": (["--scenario", "sunshine"], "sunshine"),
    "flag without value": (["--client-config", "pjwt_auth_enabled"], "NAME=VALUE"),
    "address in use elsewhere": (["--host", "192.0.2.1"], "192.0.2.1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_work_is_said_at_the_start(case: str) -> None:
    options, named = WRONG[case]
    command = [sys.executable, "-m", "tinker_mock.server", "--port", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_violations_can_decide_the_exit_code() -> None:
    with served("--fail-on", "violation", expected_code=1) as told:
        headers = {"X-API-Key": "tml-x"}
        url = f"{told['TINKER_BASE_URL']}/api/v1/create_session"
        assert httpx.post(url, json={"tags": 7}, headers=headers, timeout=60).status_code == 422
