"""Rules recognise a model by its base, its id and its samplers, in JSON and in protobuf."""

import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import zstandard

from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.serving.in_thread import RunningServer

RULE = "rules: [{match: {model: 'Qwen/Qwen3-8*'}, effects: return-418}]"
JSON, PROTOBUF = "application/json", "application/x-protobuf"


@pytest.fixture
def http(tinker_mock: RunningServer) -> Iterator[httpx.Client]:
    headers = {"X-API-Key": "tml-subject"}
    with httpx.Client(base_url=f"{tinker_mock.url}/api/v1", headers=headers, timeout=60) as client:
        yield client


def start(http: httpx.Client, base_model: str) -> tuple[str, str]:
    """A model and a sampler of a base model, then the rule."""
    told: dict[str, Any] = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0"}
    session = http.post("/create_session", json=told).json()["session_id"]
    told = {"session_id": session, "base_model": base_model}
    model = http.post("/create_model", json={**told, "model_seq_id": 0, "lora_config": {"rank": 4}})
    sampler = http.post("/create_sampling_session", json={**told, "sampling_session_seq_id": 0})
    root = str(http.base_url).removesuffix("/api/v1/")
    assert httpx.put(f"{root}/_mock/scenario", json={"yaml": RULE}, timeout=60).status_code == 200
    return model.json()["model_id"], sampler.json()["sampling_session_id"]


def forward_backward(model_id: str) -> bytes:
    message = messages.ForwardBackwardRequest(model_id=model_id, seq_id=1)
    return bytes(message.SerializeToString())


@pytest.mark.parametrize(
    ("base_model", "hit"), [("Qwen/Qwen3-8B", True), ("Qwen/Qwen3.5-4B", False)]
)
def test_a_rule_names_the_base_model(http: httpx.Client, base_model: str, hit: bool) -> None:
    model_id, sampler_id = start(http, base_model)
    body = forward_backward(model_id)
    packed = {"Content-Type": PROTOBUF, "Content-Encoding": "zstd"}
    answers = [
        http.post("/create_model", json={"base_model": base_model}),
        http.post("/optim_step", json={"model_id": model_id, "seq_id": 1}),
        http.post("/asample", json={"sampling_session_id": sampler_id}),
        http.post("/forward_backward", content=body, headers={"Content-Type": PROTOBUF}),
        http.post("/forward_backward", content=zstandard.compress(body), headers=packed),
    ]
    assert [answer.status_code == 418 for answer in answers] == [hit] * 5


def test_unreadable_bodies_are_left_to_the_service(http: httpx.Client) -> None:
    start(http, "Qwen/Qwen3-8B")
    bodies = [b"", b"\n", b"\n\xff", b"{", b"[1]", b"\xff" * 40]
    kinds = itertools.product(bodies, [JSON, PROTOBUF, "text/plain"], ["identity", "zstd"])
    for content, content_type, encoding in kinds:
        headers = {"Content-Type": content_type, "Content-Encoding": encoding}
        answer = http.post("/forward_backward", content=content, headers=headers)
        assert answer.status_code in (400, 404, 415, 422), (content, content_type, encoding)
