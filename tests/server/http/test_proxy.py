"""The proxy forwards everything unchanged, judges both directions and can misbehave."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tinker_mock.server.proxy_app import create_proxy
from tinker_mock.server.serving.in_thread import RunningServer

RESULTS = {
    "r-1": {"loss_fn_output_type": "TensorDict", "loss_fn_outputs": "none", "metrics": {}},
    "r-2": {"anything": "the proxy did not see what this is the result of"},
}


async def upstream_answer(request: Request) -> Response:
    """A service that breaks its contract here and there."""
    if request.url.path.endswith("/healthz"):
        return JSONResponse({"status": 7}, headers={"X-Upstream": "yes"})
    if request.url.path.endswith("/forward_backward"):
        return JSONResponse({"request_id": "r-1", "model_id": "m"})
    if request.url.path.endswith("/retrieve_future"):
        return JSONResponse(RESULTS[(await request.json())["request_id"]])
    if request.url.path.endswith("/stream_sample"):

        async def events() -> AsyncIterator[bytes]:
            yield b'data: {"n": 1}\n\n'
            yield b'data: {"n": 2}\n\n'

        return StreamingResponse(events(), media_type="text/event-stream")
    echoed = {
        "path": request.url.path,
        "query": request.url.query,
        "key": request.headers["x-api-key"],
    }
    return JSONResponse({**echoed, "body": (await request.body()).decode()}, 418)


UPSTREAM = Starlette(
    routes=[Route("/{path:path}", upstream_answer, methods=["GET", "POST", "PUT", "DELETE"])]
)


def proxied(requests: list[tuple[str, str, Any]]) -> tuple[list[httpx.Response], Any]:
    async def run() -> tuple[list[httpx.Response], Any]:
        app = create_proxy("http://real/prefix", transport=httpx.ASGITransport(UPSTREAM))
        transport = httpx.ASGITransport(app)
        headers = {"X-API-Key": "tml-real"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://proxy", headers=headers
        ) as http:
            answers = [await http.request(m, path, json=body) for m, path, body in requests]
            entries = (await http.get("/_mock/journal")).json()["entries"]
        return answers, entries

    return asyncio.run(run())


def test_requests_pass_unchanged_under_the_upstreams_prefix() -> None:
    body = {"session_id": "s", "type": "session_heartbeat"}
    path = "/services/tinker-prod/api/v1/session_heartbeat"
    (answer,), (entry,) = proxied([("POST", path, body)])
    assert answer.status_code == 418
    assert answer.json()["path"] == "/prefix/api/v1/session_heartbeat"
    assert answer.json()["key"] == "tml-real"
    assert '"session_id":"s"' in answer.json()["body"]
    assert (entry["operation"], entry["status"]) == ("session_heartbeat", 418)
    assert "tml-real" not in str(entry)


def test_both_directions_are_judged_and_neither_is_refused() -> None:
    requests = [("GET", "/api/v1/healthz", None), ("POST", "/api/v1/asample", {"seq_id": "x"})]
    (health, sample), (first, second) = proxied(requests)
    assert (health.json(), health.headers["x-upstream"]) == ({"status": 7}, "yes")
    assert (first["verdict"], first["violations"][0]["pointer"]) == ("response", "/status")
    assert sample.status_code == 418
    assert second["verdict"] in ("request", "response")
    assert "/seq_id" in [violation["pointer"] for violation in second["violations"]]


def test_a_result_is_judged_as_that_of_the_operation_it_was_promised_by() -> None:
    data = [
        {
            "model_input": {"chunks": [{"type": "encoded_text", "tokens": [1, 2]}]},
            "loss_fn_inputs": {"target_tokens": {"data": [2, 3], "dtype": "int64"}},
        }
    ]
    given = {"data": data, "loss_fn": "cross_entropy"}
    step = {"model_id": "m", "seq_id": 1, "forward_backward_input": given}
    polls = [("POST", "/api/v1/retrieve_future", {"request_id": name}) for name in RESULTS]
    answers, entries = proxied([("POST", "/api/v1/forward_backward", step), *polls])
    assert answers[1].json() == RESULTS["r-1"]
    assert [entry["verdict"] for entry in entries] == ["ok", "response", "ok"]
    assert "/loss_fn_outputs" in [found["pointer"] for found in entries[1]["violations"]]


def test_pending_and_failed_polls_are_no_results(monkeypatch: pytest.MonkeyPatch) -> None:
    for body in (
        {"type": "try_again", "request_id": "r-1", "queue_state": "active"},
        {"error": "data: is wrong", "category": "user"},
        {"status": "complete_metadata", "response_payload_size": 70_000},
    ):
        monkeypatch.setitem(RESULTS, "r-1", body)
        submit = {"model_id": "m", "seq_id": 1, "forward_backward_input": {}}
        poll = ("POST", "/api/v1/retrieve_future", {"request_id": "r-1"})
        _, entries = proxied([("POST", "/api/v1/forward_backward", submit), poll])
        assert entries[1]["verdict"] == "ok"


def test_the_query_passes_as_it_is() -> None:
    (answer,), _ = proxied([("GET", "/api/v1/sessions?limit=3&x=%20", None)])
    assert answer.json()["query"] == "limit=3&x=%20"


def test_unknown_paths_are_forwarded_and_noted() -> None:
    (answer,), (entry,) = proxied([("GET", "/api/v2/new", None)])
    assert (answer.status_code, entry["verdict"]) == (418, "request")


def test_streams_are_relayed() -> None:
    (answer,), _ = proxied([("POST", "/api/v1/stream_sample", {})])
    assert answer.text == 'data: {"n": 1}\n\ndata: {"n": 2}\n\n'


def test_an_unreachable_upstream_is_a_bad_gateway_and_faults_need_none() -> None:
    async def run() -> None:
        def refuse(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("nobody there")

        app = create_proxy("http://real", transport=httpx.MockTransport(refuse))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://proxy"
        ) as http:
            answer = await http.get("/api/v1/healthz")
            assert (answer.status_code, "nobody there" in answer.text) == (502, True)
            effect = {"X-Tinker-Mock-Effect": "return-503"}
            assert (await http.get("/api/v1/healthz", headers=effect)).status_code == 503

    asyncio.run(run())


def test_the_command_in_front_of_a_mock(tinker_mock: RunningServer) -> None:
    command = [sys.executable, "-m", "tinker_mock.cli", "proxy", "--port", "0"]
    command += ["--upstream", tinker_mock.url, "--fail-on", "violation"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        key = {"X-API-Key": "tml-a"}
        with httpx.Client(base_url=url, headers=key, timeout=60) as http:
            assert http.get("/api/v1/get_server_capabilities").status_code == 200
            assert http.post("/api/v1/asample", json={}).status_code == 422
        process.terminate()
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "2 exchanges" in told
    assert "client: asample" in told


def test_a_wrong_upstream_is_refused() -> None:
    command = [sys.executable, "-m", "tinker_mock.cli", "proxy", "--upstream", "real.example"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, "no http(s) address" in done.stderr) == (2, True)
