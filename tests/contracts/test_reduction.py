"""Large wrong values become small ones that break the same rule at the same place."""

import time
from typing import Any

import pytest

from tinker_mock.contracts import load_contract

SESSION: dict[str, Any] = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}
MANY = 20_000


def told(operation: str, body: Any) -> list[tuple[str, str]]:
    found = load_contract("tinker").operations[operation].check_request(body)
    return [(violation.pointer, violation.rule) for violation in found]


def datum(tokens: list[Any]) -> dict[str, Any]:
    target = {"data": [1], "dtype": "int64", "shape": [1]}
    chunks = [{"type": "encoded_text", "tokens": tokens}]
    return {"model_input": {"chunks": chunks}, "loss_fn_inputs": {"target_tokens": target}}


def step(data: list[Any], **more: Any) -> dict[str, Any]:
    given = {"data": data, "loss_fn": "cross_entropy", **more}
    return {"model_id": "m", "seq_id": 1, "forward_backward_input": given}


@pytest.mark.parametrize("place", [0, 7, 8, 9, MANY // 2, MANY - 1])
def test_the_one_wrong_item_keeps_its_place(place: int) -> None:
    tags: list[Any] = ["x"] * MANY
    tags[place] = 1
    assert told("create_session", {**SESSION, "tags": tags}) == [(f"/tags/{place}", "type")]


@pytest.mark.parametrize("place", [0, 100, MANY - 1])
def test_a_wrong_token_deep_inside_keeps_its_place(place: int) -> None:
    tokens: list[Any] = [5] * MANY
    tokens[place] = "five"
    data = [datum([1])] * 50 + [datum(tokens)] + [datum([1])] * 50
    (found,) = told("forward_backward", step(data))
    assert found[0].startswith("/forward_backward_input/data/50/model_input/chunks/0")


def test_another_field_is_told_beside_long_right_ones() -> None:
    assert told("create_session", {**SESSION, "tags": ["x"] * MANY, "sdk_version": 5}) == [
        ("/sdk_version", "type")
    ]
    lacking = {"tags": ["x"] * MANY, "sdk_version": "0.38.0"}
    assert told("create_session", lacking) == [("/user_metadata", "required")]


def test_many_wrong_items_take_no_longer_than_reading_them() -> None:
    """A validator that lists them takes ten times as long for a tenth of them."""
    contract = load_contract("tinker").operations["create_session"]
    right, wrong = {**SESSION, "tags": ["x"] * 500_000}, {**SESSION, "tags": [1] * 500_000}
    contract.check_request({**SESSION, "tags": 5})
    begun = time.thread_time()
    for _ in range(20):
        assert contract.check_request(right) == []
    reading = time.thread_time() - begun
    begun = time.thread_time()
    found = contract.check_request(wrong)
    assert time.thread_time() - begun < max(reading, 0.05)
    assert [one.pointer for one in found] == [f"/tags/{place}" for place in range(8)]


def test_a_long_text_is_not_repeated_in_a_refusal() -> None:
    (violation,) = (
        load_contract("tinker")
        .operations["create_session"]
        .check_request({**SESSION, "tags": "t" * 3_000_000})
    )
    assert len(violation.message) < 500


def test_unknown_names_of_a_map_are_told_by_name() -> None:
    names: dict[str, Any] = {f"k{place}": "v" for place in range(3000)}
    body = {"user_metadata": {**names, "bad": 5}, "owner": {"type": "own"}, "limit": 20}
    assert ("/user_metadata/bad", "type") in told("search_sessions", body)
