"""One server for all tests of the service; each test is a tenant of its own."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.server.commands import ServerProcess
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

TOKENS = [9707, 11, 1879, 0, 358, 1079, 264, 2613]
BASE = "Qwen/Qwen3-8B"


class Api:
    """The wire as a client sees it, with the steps that most tests need."""

    def __init__(self, server: RunningServer | ServerProcess, key: str, **headers: str) -> None:
        self.server: Any = server
        headers = {"X-API-Key": key, **headers}
        self.http = httpx.Client(base_url=server.url, headers=headers, timeout=60)

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.http.post(f"/api/v1/{path}", json=body, headers=headers)

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(f"/api/v1/{path}", params=query)

    def session(self, **more: Any) -> str:
        told = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0", **more}
        return str(self.post("create_session", told).json()["session_id"])

    def submit(self, path: str, body: dict[str, Any]) -> str:
        answer = self.post(path, body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["request_id"])

    def outcome(self, request_id: str, **headers: str) -> Any:
        answer = self.post("retrieve_future", {"request_id": request_id}, **headers)
        while answer.status_code == 408:
            answer = self.post("retrieve_future", {"request_id": request_id}, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def done(self, path: str, body: dict[str, Any]) -> Any:
        result = self.outcome(self.submit(path, body))
        assert "error" not in result, result
        return result

    def model(self, session: str | None = None, number: int = 0, **more: Any) -> str:
        told = {"base_model": BASE, "lora_config": {"rank": 8}, **more}
        body = {"session_id": session or self.session(), "model_seq_id": number, **told}
        return str(self.done("create_model", body)["model_id"])

    def sampler(self, session: str | None = None, number: int = 0, **source: Any) -> str:
        told = source or {"base_model": BASE}
        body = {"session_id": session or self.session(), "sampling_session_seq_id": number, **told}
        return str(self.post("create_sampling_session", body).json()["sampling_session_id"])


def datum(tokens: list[int] | None = None, **inputs: Any) -> dict[str, Any]:
    """A cross-entropy example over `tokens`, or with other inputs."""
    tokens = tokens or TOKENS
    size = len(tokens) - 1
    told = inputs or {
        "target_tokens": {"data": tokens[1:], "dtype": "int64", "shape": [size]},
        "weights": {"data": [1.0] * size, "dtype": "float32", "shape": [size]},
    }
    return {"model_input": {"chunks": [{"tokens": tokens[:-1]}]}, "loss_fn_inputs": told}


def training_step(model: str, seq_id: int, *data: dict[str, Any]) -> dict[str, Any]:
    """A forward_backward body."""
    given = {"data": list(data) or [datum()], "loss_fn": "cross_entropy"}
    return {"model_id": model, "seq_id": seq_id, "forward_backward_input": given}


def update(model: str, seq_id: int, learning_rate: float = 1e-3) -> dict[str, Any]:
    """An optim_step body."""
    return {"model_id": model, "seq_id": seq_id, "adam_params": {"learning_rate": learning_rate}}


def sample(sampler: str, seq_id: int, **more: Any) -> dict[str, Any]:
    """An asample body: eight seeded tokens after a short prompt."""
    return {
        "sampling_session_id": sampler,
        "seq_id": seq_id,
        "prompt": {"chunks": [{"tokens": TOKENS}]},
        "sampling_params": {"max_tokens": 8, "seed": 3},
        **more,
    }


@pytest.fixture(scope="session")
def tinker_mock_session() -> Iterator[RunningServer]:
    """The server of all tests of this folder; its archives are small."""
    with RunningServer(Settings(port=0, adapter_shapes="compact")) as server:
        yield server


@pytest.fixture
def api(tinker_mock_session: RunningServer, request: pytest.FixtureRequest) -> Iterator[Api]:
    """A client with a key of its own."""
    client = Api(tinker_mock_session, f"tml-{request.node.nodeid}")
    with client.http:
        yield client


@pytest.fixture
def stranger(tinker_mock_session: RunningServer, request: pytest.FixtureRequest) -> Iterator[Api]:
    """Another tenant of the same server."""
    client = Api(tinker_mock_session, f"tml-stranger-{request.node.nodeid}")
    with client.http:
        yield client
