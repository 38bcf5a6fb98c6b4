"""One look at a request says what two looks say."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tinker_mock.contracts import Operation, load_contract

OPERATIONS = [
    operation
    for name in ("tinker", "inference", "control")
    for operation in load_contract(name).operations.values()
    if operation.example is not None
]


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def spoilt(example: Any) -> Iterator[Any]:
    """The example with one more field, one less, or another value, at each place of it."""
    for place, _ in enumerate(objects(example)):
        names = list(list(objects(example))[place])
        for name in names:
            for change in ("gone", "null", "text", "object"):
                value = copy.deepcopy(example)
                there = list(objects(value))[place]
                if change == "gone":
                    del there[name]
                else:
                    there[name] = {"null": None, "text": "odd", "object": {"odd": 1}}[change]
                yield value
        value = copy.deepcopy(example)
        list(objects(value))[place]["odd_field"] = 1
        yield value


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_what_is_known_is_valid_and_has_no_unknown_fields(operation: Operation) -> None:
    for value in (operation.example, *spoilt(operation.example)):
        told = not operation.check_request(value) and not operation.unknown_fields(value)
        assert operation.knows(value) <= told, value
        if operation._closed is not None:
            assert operation.knows(value) == told, value


def test_most_operations_need_one_look() -> None:
    served = load_contract("tinker").operations.values()
    judged = [one for one in served if one.request_schema is not None]
    assert all(one._closed is not None for one in judged)
    entangled = load_contract("inference").operations["create_chat_completion"]
    assert not entangled.knows(entangled.example)
    assert not entangled.check_request(entangled.example)
