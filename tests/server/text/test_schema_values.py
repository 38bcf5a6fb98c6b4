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
        ({"type": "string", "pattern": "^(?=a)b"}, r"\(\?=a…\) is not drawn"),
        ({"type": "string", "pattern": r"(a)\1"}, r"\\1 is not drawn"),
        ({"type": "string", "pattern": "^[0-9]{40}$", "maxLength": 3}, "these lengths"),
        ({"type": "string", "pattern": "^a$", "not": {"const": "a"}}, "not is not drawn"),
        ({"type": "string", "pattern": "(" * 30 + "a" + ")" * 30}, "a group within 20"),
        (
            {"type": "object", "required": ["a"], "patternProperties": {"^a": {"type": "null"}}},
            "patternProperties/.a/type is not drawn",
        ),
        ({"type": "integer", "minimum": 3, "maximum": 1}, "no value was found"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said) as refused:
        value_for(schema, 1, "/tools/0/function/parameters")
    assert refused.value.pointer == "/tools/0/function/parameters"


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{3}\d+$",
        r"^\d{4}-(0[1-9]|1[0-2])-[0-2]\d$",
        r"^#?([a-fA-F0-9]{6}|[a-f0-9]{3})$",
        r"^[^\s@]+@[\w.-]+\.(?:com|org)$",
        r"^(?<year>\d{2,})(, \S*?)*$",
        r"^[\u4e00-\u9fff]{2}\t\x41.$",
        r"needle",
        r"^a|b$",
        r"^$",
        r"^((xy?)*)*$",
    ],
)
@pytest.mark.parametrize("lengths", [{}, {"minLength": 30}])
def test_patterns_are_drawn(pattern: str, lengths: dict[str, int]) -> None:
    schema = {"type": "string", "pattern": pattern, **lengths}
    unbounded = any(sign in pattern for sign in ("+", "*", ",}"))
    for seed in range(20):
        if lengths and not unbounded:
            with pytest.raises(BadRequest, match="these lengths"):
                value_for(schema, seed, "/schema")
        else:
            jsonschema_rs.validate(schema, value_for(schema, seed, "/schema"))


def test_a_pattern_that_is_not_drawn_is_left_out_where_it_is_optional() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "string", "pattern": "(?!x)"}},
        "required": ["a"],
    }
    for seed in range(20):
        assert set(value_for(schema, seed, "/schema")) == {"a"}
