"""JSON pointers, by the examples of RFC 6901 §5 and by what is done with them here."""

import copy
from typing import Any

import pytest

from tinker_mock.contracts.pointer import (
    PointerError,
    find,
    join,
    look_up,
    places,
    put,
    remove,
    split,
)

RFC = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6,
    " ": 7, "m~n": 8,
}  # fmt: skip
NAMED = {
    "": RFC, "/foo": ["bar", "baz"], "/foo/0": "bar", "/": 0, "/a~1b": 1, "/c%d": 2, "/e^f": 3,
    "/g|h": 4, "/i\\j": 5, '/k"l': 6, "/ ": 7, "/m~0n": 8,
}  # fmt: skip
MODELS: dict[str, Any] = {"models": [{"name": "a", "tags": ["x"]}, {"name": "b"}], "by": {"k": {}}}
NOWHERE = ["/x", "/models/2", "/models/-1", "/models/-", "/models/01", "/models/x", "/by/k/x/y"]


@pytest.fixture
def value() -> dict[str, Any]:
    return copy.deepcopy(MODELS)


@pytest.mark.parametrize(("pointer", "named"), NAMED.items())
def test_what_the_rfc_names(pointer: str, named: Any) -> None:
    assert look_up(RFC, pointer) == named
    assert join(split(pointer)) == pointer


def test_an_escaped_tilde_is_not_read_twice() -> None:
    assert split("/~01") == ["~1"]
    assert join(["~1", 0]) == "/~01/0"


@pytest.mark.parametrize("pointer", [*NOWHERE, "models", "#/models"])
def test_where_nothing_is(value: dict[str, Any], pointer: str) -> None:
    with pytest.raises(PointerError):
        look_up(value, pointer)
    with pytest.raises(PointerError):
        remove(value, pointer)
    assert find(value, pointer, "nothing") == "nothing"
    assert value == MODELS


def test_setting_and_removing_in_place(value: dict[str, Any]) -> None:
    put(value, "/models/1/name", "c")
    put(value, "/by/new~1key", 1)
    remove(value, "/models/0")
    assert value == {"models": [{"name": "c"}], "by": {"k": {}, "new/key": 1}}


@pytest.mark.parametrize("pointer", ["", "/models/2", "/x/y", "/models/0/name/y"])
def test_setting_what_nothing_holds(value: dict[str, Any], pointer: str) -> None:
    with pytest.raises(PointerError):
        put(value, pointer, 1)
    assert value == MODELS


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("/models/*/name", ["a", "b"]),
        ("/models/*", MODELS["models"]),
        ("/models/1/name", ["b"]),
        ("/*/k", [{}]),
        ("/models/*/tags/0", ["x"]),
        ("/models/7/name", []),
        ("/models/0/name/*", []),
    ],
)
def test_a_star_is_every_key_or_element(
    value: dict[str, Any], pattern: str, named: list[Any]
) -> None:
    assert [holder[key] for holder, key in places(value, pattern)] == named


def test_a_place_may_be_new_to_an_object(value: dict[str, Any]) -> None:
    for holder, key in places(value, "/models/*/public"):
        holder[key] = True
    assert [model["public"] for model in value["models"]] == [True, True]
