"""What the loader says about messages."""

import copy
from typing import Any

import pytest

from tinker_mock.contracts import Contract, SdkRange, Violation


@pytest.fixture
def sample(tinker: Contract) -> dict[str, Any]:
    return copy.deepcopy(tinker.operations["asample"].example)


def judged(violations: list[Violation]) -> list[tuple[str, str]]:
    return [(v.pointer, v.rule) for v in violations]


def test_a_violation_names_field_rule_and_both_values(
    tinker: Contract, sample: dict[str, Any]
) -> None:
    sample["sampling_params"]["top_p"] = 3
    (found,) = tinker.operations["asample"].check_request(sample)
    assert (found.pointer, found.rule) == ("/sampling_params/top_p", "maximum")
    assert (found.expected, found.actual) == (1, 3)
    assert found.as_dict()["message"] == "3 is greater than the maximum 1"


def test_a_missing_field_is_pointed_at(tinker: Contract, sample: dict[str, Any]) -> None:
    del sample["prompt"]
    assert judged(tinker.operations["asample"].check_request(sample)) == [("/prompt", "required")]


def test_what_fits_no_kind_is_told_once_what_is_expected(tinker: Contract) -> None:
    (finish,) = (one for one in tinker.operations.values() if one.path.endswith("/finish"))
    (found,) = finish.check_request({"reason": "done"})
    assert (found.pointer, found.rule, found.expected) == ("/reason", "anyOf", "object")
    assert found.message == "'done' fits none of: 'done' is not of type object"


CHUNKS = {
    "text with type": ({"type": "encoded_text", "tokens": [1]}, []),
    "text without type": ({"tokens": [1]}, []),
    "image without type, old null": (
        {"data": "AAAA", "format": "png", "expected_tokens": None},
        [],
    ),
    "pointer without type": ({"location": "a", "format": "jpeg"}, []),
    "dmel": ({"type": "dmel", "dmel": "AAAA"}, []),
    "text of words": ({"tokens": ["a"]}, [("/prompt/chunks/0/tokens/0", "type")]),
    "image without format": (
        {"type": "image", "data": "AAAA"},
        [("/prompt/chunks/0/format", "required")],
    ),
    "nothing": ({}, [("/prompt/chunks/0", "anyOf")]),
    "unknown type": ({"type": "video", "tokens": [1]}, [("/prompt/chunks/0", "anyOf")]),
}


@pytest.mark.parametrize(("chunk", "expected"), CHUNKS.values(), ids=CHUNKS)
def test_chunks_are_told_apart_without_a_type(
    tinker: Contract, sample: dict[str, Any], chunk: dict[str, Any], expected: Any
) -> None:
    sample["prompt"]["chunks"] = [chunk]
    assert judged(tinker.operations["asample"].check_request(sample)) == expected


def test_unknown_fields_are_reported_at_any_depth(tinker: Contract, sample: dict[str, Any]) -> None:
    sample["colour"] = 1
    sample["prompt"]["chunks"][0]["weight"] = 2
    sample["sampling_params"]["min/p"] = 0.1
    operation = tinker.operations["asample"]
    assert operation.check_request(sample) == []
    assert sorted(operation.unknown_fields(sample)) == [
        "/colour",
        "/prompt/chunks/0/weight",
        "/sampling_params/min~1p",
    ]


def test_free_form_maps_know_every_key(tinker: Contract) -> None:
    operation = tinker.operations["create_session"]
    body = {**operation.example, "user_metadata": {"anything": {"at": "all"}}}
    assert operation.unknown_fields(body) == []


def test_fields_and_values_outside_a_release(tinker: Contract, sample: dict[str, Any]) -> None:
    sample["prompt_alt_tokens_k"] = 2
    found = tinker.operations["asample"].fields_outside(sample, "0.30.4")
    assert [(o.pointer, o.sdk) for o in found] == [("/prompt_alt_tokens_k", SdkRange("0.31"))]
    forward = tinker.operations["forward"]
    body = {"model_id": "m", "forward_input": {"data": [], "loss_fn": "gspo"}}
    (value,) = forward.fields_outside(body, "0.7.0")
    assert (value.pointer, value.value, value.sdk.since) == (
        "/forward_input/loss_fn",
        "gspo",
        "0.34",
    )
    assert forward.fields_outside(body, "0.34.0") == []


def test_query_strings_are_read_as_their_type(tinker: Contract) -> None:
    check = tinker.operations["list_sessions"].check_query
    assert check({"limit": "20", "offset": "0", "access_scope": "owned"}) == []
    assert judged(check({"limit": "0", "offset": "x", "access_scope": "all"})) == [
        ("/limit", "minimum"),
        ("/offset", "type"),
        ("/access_scope", "enum"),
    ]
    usage = tinker.operations["get_billing_usage"]
    assert judged(usage.check_query({"starting_on": "yesterday"})) == [
        ("/starting_on", "format"),
        ("/ending_before", "required"),
    ]


def test_a_number_too_big_for_json_is_told_as_text(tinker: Contract) -> None:
    (found,) = tinker.operations["list_sessions"].check_query({"limit": "9" * 30})
    assert found.actual == "9" * 30


def test_a_content_type_nobody_declared(tinker: Contract) -> None:
    operation = tinker.operations["optim_step"]
    (found,) = operation.check_request(b"", "application/x-protobuf")
    assert (found.rule, found.expected) == ("content-type", ["application/json"])


def test_answers_are_judged_by_status(tinker: Contract) -> None:
    poll = tinker.operations["retrieve_future"]
    again = {"type": "try_again", "request_id": "r", "queue_state": "active"}
    assert poll.check_response(408, again) == []
    assert judged(poll.check_response(408, {**again, "queue_state": "tired"})) == [
        ("/queue_state", "enum")
    ]
    assert judged(poll.check_response(404, {"message": "no"})) == [("/detail", "required")]
    assert poll.check_response(503, {"detail": "down"}) == []


def test_results_behind_a_promise(tinker: Contract) -> None:
    result = {
        "loss_fn_output_type": "T",
        "loss_fn_outputs": [{"logprobs": {"data": [-1.5], "dtype": "float32", "shape": [1]}}],
        "metrics": {"loss:sum": 1.5},
    }
    check = tinker.operations["forward_backward"].check_result
    assert check(result) == []
    assert judged(check({**result, "metrics": {"loss": 1.5}})) == [("/metrics", "propertyNames")]


def test_operations_know_their_addresses(tinker: Contract) -> None:
    asample = tinker.operations["asample"]
    assert (asample.method, asample.path, asample.chapter) == (
        "POST",
        "/api/v1/asample",
        "sampling",
    )
    assert [(a.method, a.path) for a in asample.aliases] == [("POST", "/api/v1/sample")]
    assert "0.24.1" in tinker.operations["forward"].sdk
    assert "0.25.0" not in tinker.operations["forward"].sdk
    assert "0.38.0" not in tinker.operations["stream_sample"].sdk


@pytest.mark.parametrize("text", ["", "new", "7"])
def test_a_release_has_a_minor(text: str) -> None:
    with pytest.raises(ValueError, match=r"MAJOR\.MINOR"):
        assert text in SdkRange("0.7")


def test_whole_floats_become_integers_where_a_field_is_one(tinker: Contract) -> None:
    operation = tinker.operations["asample"]
    body = copy.deepcopy(operation.example)
    body.update(seq_id=7.0, num_samples=2.0)
    body["sampling_params"].update(seed=1e3, temperature=1.0)
    body["prompt"]["chunks"] = [{"data": "AAAA", "format": "png", "expected_tokens": 4.0}]
    assert operation.check_request(body) == []
    operation.coerce_integers(body)
    params = body["sampling_params"]
    coerced = [body["seq_id"], body["num_samples"], params["seed"], params["temperature"]]
    assert list(map(repr, coerced)) == ["7", "2", "1000", "1.0"]
    assert repr(body["prompt"]["chunks"][0]["expected_tokens"]) == "4"


def test_the_compiled_search_finds_what_a_walk_finds(tinker: Contract) -> None:
    for operation in tinker.operations.values():
        body = copy.deepcopy(operation.example)
        if not isinstance(body, dict):
            continue
        plant_unknown_fields(body)
        uses = tinker.schemas.uses(operation.request_schema, body)
        walked = [use.pointer for use in uses if use.schema is None]
        assert operation.unknown_fields(body) == walked, operation.id
        assert "/unknown" in walked or operation.id == "create_auth_token"


def plant_unknown_fields(value: Any) -> None:
    for inner in list(value.values()) if isinstance(value, dict) else value:
        if isinstance(inner, (dict, list)):
            plant_unknown_fields(inner)
    if isinstance(value, dict):
        value["unknown"] = {"more": [1]}
