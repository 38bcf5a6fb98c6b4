"""Fields that ask for much: refused by name, before anything is made of them."""

import socket
from typing import Any

import pytest

from tests.server.conftest import Api, datum, sample, training_step
from tinker_mock.server.serving.in_thread import RunningServer

VISION = "Qwen/Qwen3.6-35B-A3B"


def refusal(answer: Any) -> str:
    assert answer.status_code in (400, 422), answer.text
    return str(answer.json()["error"].get("field"))


@pytest.mark.parametrize("field", ["user_metadata", "tags", "display_name"])
def test_what_is_kept_is_small(api: Api, field: str) -> None:
    told = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
    values = {
        "user_metadata": lambda size: {"note": "y" * size},
        "tags": lambda size: ["y" * 100] * (size // 100),
        "display_name": lambda size: "y" * size,
    }
    small, large = values[field](40_000), values[field](100_000)
    assert api.post("create_session", told | {field: small}).status_code == 200
    answer = api.post("create_session", told | {field: large})
    assert refusal(answer) == f"/{field}"
    assert "65536" in answer.text
    lora = {"base_model": "Qwen/Qwen3-8B", "lora_config": {"rank": 8}, "model_seq_id": 0}
    body = {"session_id": api.session(), **lora}
    if field == "user_metadata":
        assert refusal(api.post("create_model", body | {field: large})) == f"/{field}"


@pytest.mark.parametrize("expected", [2**31 - 1, 2**31, 2**63, 10**30])
def test_a_picture_of_two_thousand_million_positions_is_refused(api: Api, expected: int) -> None:
    picture = {
        "type": "image_asset_pointer",
        "format": "png",
        "location": "x",
        "expected_tokens": expected,
    }
    sampler = api.sampler(base_model=VISION)
    answer = api.post("asample", sample(sampler, 1, prompt={"chunks": [picture]}))
    assert refusal(answer).startswith("/prompt")
    model = api.model(base_model=VISION)
    one = datum() | {"model_input": {"chunks": [picture]}}
    assert refusal(api.post("forward_backward", training_step(model, 1, one)))


def test_a_tensor_of_a_thousand_dimensions_is_refused_by_name(api: Api) -> None:
    target = {"data": [1], "dtype": "int64", "shape": [1] * 1000}
    one = {
        "model_input": {"chunks": [{"tokens": [1]}]},
        "loss_fn_inputs": {"target_tokens": target},
    }
    result = api.outcome(api.submit("forward_backward", training_step(api.model(), 1, one)))
    assert result["category"] == "user"
    assert "target_tokens.shape" in result["error"]


def test_a_long_name_is_not_sent_back_as_a_whole(api: Api) -> None:
    answer = api.post("retrieve_future", {"request_id": "r" * 500_000})
    assert answer.status_code == 404
    assert len(answer.content) < 10_000


def test_more_completions_than_samples_are_refused(api: Api) -> None:
    body = {"model": "Qwen/Qwen3-8B", "prompt": ["a"] * 600, "n": 2, "max_tokens": 1}
    answer = api.http.post("/oai/api/v1/completions", json=body)
    assert answer.status_code in (400, 422)
    assert "1024" in answer.text


@pytest.mark.parametrize(
    ("size", "status"), [(8_000, b"200"), (15_000, b"200"), (17_000, b"431"), (200_000, b"431")]
)
def test_a_head_has_a_size(tinker_mock_session: RunningServer, size: int, status: bytes) -> None:
    address = ("127.0.0.1", tinker_mock_session.settings.port)
    with socket.create_connection(address, timeout=60) as client:
        head = b"GET /api/v1/healthz HTTP/1.1\r\nhost: localhost\r\nx-long: " + b"y" * size
        try:
            client.sendall(head + b"\r\nconnection: close\r\n\r\n")
            answer = client.recv(65536)
        except ConnectionError:
            answer = b"HTTP/1.1 431"  # it was closed while the rest was on its way
    assert answer.split(b" ")[1][:3] == status
