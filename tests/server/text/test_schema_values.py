"""Drawn values satisfy their schemas; the same seed draws the same value."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.text.schema_values import value_for

names = st.sampled_from(["city", "email", "when", "tags", "count", "x"])
bounds = st.tuples(st.integers(-50, 50), st.integers(0, 60))


def number(draw: tuple[int, int], kind: str) -> dict[str, Any]:
    low, span = draw
    return {"type": kind, "minimum": low, "maximum": low + span}


def sized(draw: tuple[int, int]) -> dict[str, Any]:
    least, span = abs(draw[0]) % 20, draw[1]
    return {"type": "string", "minLength": least, "maxLength": least + span}


leaves = st.one_of(
    bounds.map(lambda draw: number(draw, "integer")),
    bounds.map(lambda draw: number(draw, "number")),
    bounds.map(sized),
    st.sampled_from(["date", "date-time", "email", "uuid", "uri", "ipv4"]).map(
        lambda form: {"type": "string", "format": form}
    ),
    st.lists(st.sampled_from(["a", 1, None, True]), min_size=1, max_size=3).map(
        lambda values: {"enum": values}
    ),
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"const": [1]}, {}]),
    st.just({"type": ["string", "null"]}),
)


def composed(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.dictionaries(names, inner, max_size=4).flatmap(
        lambda properties: st.lists(
            st.sampled_from(sorted(properties) or ["x"]), unique=True, max_size=3
        ).map(
            lambda required: {
                "type": "object",
                "properties": properties,
                "required": [name for name in required if name in properties],
                "additionalProperties": False,
            }
        )
    )
    arrays = st.tuples(inner, st.integers(0, 3), st.integers(0, 3)).map(
        lambda draw: {
            "type": "array",
            "items": draw[0],
            "minItems": draw[1],
            "maxItems": draw[1] + draw[2],
        }
    )
    unions = st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts})
    return st.one_of(objects, arrays, unions)


schemas = st.recursive(leaves, composed, max_leaves=8)


@given(schemas, st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_values_satisfy_their_schema(schema: dict[str, Any], seed: int) -> None:
    value = value_for(schema, seed, "/schema")
    jsonschema_rs.validate(schema, value)
    assert value_for(schema, seed, "/schema") == value


@pytest.mark.parametrize("form", ["date", "date-time"])
def test_what_a_seed_draws_does_not_depend_on_the_day(form: str) -> None:
    schema = {"type": "string", "format": form}
    drawn = [value_for(schema, seed, "/schema") for seed in range(500)]
    assert "2025" < max(drawn) < "2026"


def test_references_and_recursion_end() -> None:
    tree = {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                },
                "required": ["name", "children"],
            }
        },
        "$ref": "#/$defs/node",
    }
    for seed in range(30):
        jsonschema_rs.validate(tree, value_for(tree, seed, "/schema"))


def test_all_of_holds_together() -> None:
    schema = {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"const": 2}}, "required": ["b"]},
        ]
    }
    value = value_for(schema, 1, "/schema")
    assert isinstance(value["a"], int)
    assert value["b"] == 2


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "sting"}, "not a JSON schema"),
        ({"type": "string", "pattern": "^[0-9]{40}$"}, "no value was found"),
        ({"type": "integer", "minimum": 3, "maximum": 1}, "no value was found"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said) as refused:
        value_for(schema, 1, "/tools/0/function/parameters")
    assert refused.value.pointer == "/tools/0/function/parameters"
