"""Every mistake gets a status and a body that say what is wrong; none is a 5xx."""

from typing import Any

import pytest
import zstandard

from tests.server.conftest import Api, sample, training_step

JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}

CASES: dict[str, tuple[dict[str, str], bytes, int, str]] = {
    "no body": (JSON, b"", 400, "malformed JSON"),
    "cut JSON": (JSON, b'{"model_id": ', 400, "malformed JSON at byte"),
    "no object": (JSON, b"[]", 422, "not of type object"),
    "missing field": (JSON, b'{"model_id": "x"}', 422, "forward_backward_input"),
    "no protobuf": (PROTOBUF, b"\xff\xff\xff\xff\x07", 400, "ForwardBackwardRequest"),
    "other type": ({"Content-Type": "text/csv"}, b"a", 415, "Content-Type"),
    "other encoding": ({**JSON, "Content-Encoding": "br"}, b"a", 415, "Content-Encoding"),
    "broken zstd": ({**JSON, "Content-Encoding": "zstd"}, b"a", 400, "zstd"),
    "broken gzip": ({**JSON, "Content-Encoding": "gzip"}, b"a", 400, "gzip"),
}


@pytest.mark.parametrize("case", CASES)
def test_bodies(api: Api, case: str) -> None:
    headers, content, status, named = CASES[case]
    answer = api.http.post("/api/v1/forward_backward", content=content, headers=headers)
    assert (answer.status_code, named in answer.text) == (status, True), answer.text
    assert answer.json()["error"]["category"] == "user"


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"X-API-Key": ""}, "no API key"),
        ({"X-API-Key": "sk-123"}, "tml-"),
        ({"X-API-Key": "tml-"}, "tml-"),
        ({"X-API-Key": "", "Authorization": "Basic abc"}, "no API key"),
        ({"X-API-Key": "a.b.c"}, "JWT"),
        ({"X-API-Key": "\xf6.\xf6.\xf6"}, "JWT"),
    ],
)
def test_credentials(api: Api, headers: dict[str, str], named: str) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = api.http.get("/api/v1/sessions", headers=raw)
    assert answer.status_code == 401
    assert named in answer.json()["detail"]
    assert answer.json()["error"]["fix"]


def test_paths_and_methods(api: Api) -> None:
    lost = api.post("forward_backwards", {})
    assert lost.status_code == 404
    assert "/api/v1/forward_backward" in lost.json()["detail"]
    wrong = api.get("optim_step")
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "POST"
    assert api.http.get("/services/tinker-prod/api/v1/sessions").status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [({"limit": 0}, "limit"), ({"offset": -1}, "offset"), ({"limit": "many"}, "limit")],
)
def test_queries(api: Api, query: dict[str, Any], field: str) -> None:
    refused = api.get("checkpoints", **query)
    assert refused.status_code == 422
    assert refused.json()["error"]["field"] == f"/{field}"


def wrong_tensor(**change: Any) -> dict[str, Any]:
    size = 3
    target = {"data": [1] * size, "dtype": "int64", "shape": [size], **change}
    return {
        "model_input": {"chunks": [{"tokens": [5, 6, 7]}]},
        "loss_fn_inputs": {
            "target_tokens": target,
            "weights": {"data": [1.0] * size, "dtype": "float32"},
        },
    }


WRONG_TENSORS = {
    "dtype": ({"dtype": "float32", "data": [1.0] * 3}, "target_tokens.dtype"),
    "fractions": ({"data": [1.5] * 3}, "target_tokens.data"),
    "beyond 64 bits": ({"data": [2**70] * 3}, "target_tokens.data"),
    "shape": ({"shape": [4]}, "target_tokens.shape"),
    "length": ({"data": [1], "shape": [1]}, "target_tokens"),
    "vocabulary": ({"data": [10**9] * 3}, "target_tokens"),
}


@pytest.mark.parametrize("case", WRONG_TENSORS)
def test_tensors(api: Api, case: str) -> None:
    change, named = WRONG_TENSORS[case]
    model = api.model()
    answer = api.post("forward_backward", training_step(model, 1, wrong_tensor(**change)))
    told = answer.json() if answer.status_code != 200 else api.outcome(answer.json()["request_id"])
    assert named in str(told), told
    assert "server" not in str(told)
    assert "metrics" in api.done("forward_backward", training_step(model, 2))


def test_compressed_json_is_read(api: Api) -> None:
    body = b'{"tags": [], "user_metadata": null, "sdk_version": "0.38.0"}'
    packed = zstandard.ZstdCompressor().compress(body)
    headers = {**JSON, "Content-Encoding": "zstd"}
    answer = api.http.post("/api/v1/create_session", content=packed, headers=headers)
    assert answer.status_code == 200


def test_too_many_samples(api: Api) -> None:
    refused = api.post("asample", sample(api.sampler(), 0, num_samples=10**6))
    assert refused.status_code == 422
    assert "num_samples" in refused.json()["detail"]


@pytest.mark.tinker_mock(strict=True)
def test_strict_servers_refuse_unknown_fields(tinker_mock: Any) -> None:
    strict = Api(tinker_mock, "tml-strict")
    body = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0", "colour": "red"}
    with strict.http:
        refused = strict.post("create_session", body)
    assert refused.status_code == 422
    assert refused.json()["error"]["unknown_fields"] == ["/colour"]


def test_lenient_servers_note_unknown_fields(api: Api) -> None:
    assert api.session(colour="red")


def refusals(api: Api) -> list[Any]:
    """One refusal of each kind that names a requirement."""
    session = api.session()
    model = {"session_id": session, "model_seq_id": 0, "base_model": "no/such"}
    step = {"model_id": "nobody", "seq_id": 1, "adam_params": {}}
    content = {"Content-Type": "text/csv"}
    return [
        api.post("create_model", model),
        api.post("create_model", {**model, "session_id": "nobody"}),
        api.post("create_model", {"session_id": session}),
        api.post("optim_step", step),
        api.post("retrieve_future", {"request_id": "nobody"}),
        api.post("weights_info", {"tinker_path": "tinker://a/weights/b"}),
        api.http.post("/api/v1/optim_step", content=b"{", headers={**JSON}),
        api.http.post("/api/v1/optim_step", content=b"{", headers=content),
        api.http.get("/api/v1/sessions", headers={"X-API-Key": "sk-1"}),
    ]


def test_refusals_name_field_rule_fix_and_a_requirement_of_the_ledger(api: Api) -> None:
    from tinker_mock.contracts.ledger import load_ledger

    known = load_ledger()
    for refused in refusals(api):
        told = refused.json()["error"]
        assert 400 <= refused.status_code < 500
        assert told["rule"]
        assert told["fix"]
        assert told["requirement"] in known, told
