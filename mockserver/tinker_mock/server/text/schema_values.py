"""Values that satisfy a JSON schema: tool arguments and structured answers, seeded.

The draw follows the schema; the result is then judged by a validator, and drawn again with
optional fields left out if a rule this file does not know (a dependency, a negation) was missed.
Nothing is fetched or opened for a schema, and all tries together draw a bounded amount.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import jsonschema_rs

from tinker_mock.contracts.pointer import find
from tinker_mock.server.budget import checkpoint
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.text.pattern_texts import NotDrawn, matching_text
from tinker_mock.server.text.schema_size import MOST_SUBSCHEMAS, too_large
from tinker_mock.server.tokenizers import INSTALL

Schema = Mapping[str, Any]
TRIES = 12
DEEP = 5
DEEPEST = 64
"""Levels of a value, references followed among them."""
MOST_VALUES = 10_000
"""Values drawn for one schema."""
CHARACTERS = 100
MOST_ITEMS = 100
"""Items of an array beyond those it must have."""
PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000, size_limit=1 << 20)


class TooMuch(Exception):
    """The schema asks for a value beyond the limits."""


def unreachable(uri: str) -> Any:
    """The retriever of schemas' references: there is nothing beyond the schema itself."""
    raise ValueError(f"{uri} is outside of the schema")


class SchemaValues:
    """Draws values. The same seed and schema give the same value."""

    def __init__(self, seed: int, root: Schema) -> None:
        from faker import Faker

        self.faker = Faker("en_US", use_weighting=False)
        self.faker.seed_instance(seed)
        self.root = root
        self.sparse = False
        self.left, self.level = MOST_VALUES, 0

    def draw(self, schema: Any, name: str = "", depth: int = 0) -> Any:
        """One value; `name` is the property's, and steers texts. Raises TooMuch."""
        checkpoint()
        self.left -= 1
        self.level += 1
        if self.level > DEEPEST:
            raise TooMuch(f"values and references nest deeper than {DEEPEST}")
        self._room(0)
        try:
            return self._drawn(schema, name, depth)
        finally:
            self.level -= 1

    def _drawn(self, schema: Any, name: str, depth: int) -> Any:
        if not isinstance(schema, Mapping):
            return self.faker.word()
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self.faker.random_element(list(schema["enum"]))
        if "$ref" in schema:
            return self.draw(self._referred(schema["$ref"]), name, depth + 1)
        for union in ("anyOf", "oneOf"):
            if schema.get(union):
                choices = schema[union] if depth < DEEP else schema[union][-1:]
                rest = {k: v for k, v in schema.items() if k != union}
                return self.draw(merged(rest, self.faker.random_element(choices)), name, depth)
        if schema.get("allOf"):
            rest = {k: v for k, v in schema.items() if k != "allOf"}
            for part in schema["allOf"]:
                rest = merged(rest, self._referred(part["$ref"]) if "$ref" in part else part)
            return self.draw(rest, name, depth)
        return self._typed(schema, name, depth)

    def _room(self, values: float) -> None:
        """Whether so many more may be drawn."""
        if values > self.left:
            raise TooMuch(f"more than {MOST_VALUES} values, {CHARACTERS} characters count as one")

    def _typed(self, schema: Schema, name: str, depth: int) -> Any:
        kind = schema.get("type") or implied_type(schema)
        if isinstance(kind, list):
            useful = [one for one in kind if one != "null"] or ["null"]
            kind = useful[0]
        draws: dict[str, Callable[[], Any]] = {
            "object": lambda: self._object(schema, depth),
            "array": lambda: self._array(schema, name, depth),
            "integer": lambda: self._number(schema, whole=True),
            "number": lambda: self._number(schema, whole=False),
            "boolean": self.faker.pybool,
            "null": lambda: None,
        }
        return draws[kind]() if kind in draws else self._text(schema, name)

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = set(schema.get("required") or ())
        optional = not self.sparse and depth < DEEP
        wanted = [p for p in properties if p in required or (optional and self.faker.pybool())]
        value = {name: self.draw(properties[name], name, depth + 1) for name in wanted}
        for name in sorted(required - properties.keys()):
            value[name] = self.faker.word()
        self._room(schema.get("minProperties", 0))
        while len(value) < schema.get("minProperties", 0):
            value[f"{self.faker.word()}_{len(value)}"] = self.faker.word()
        return value

    def _array(self, schema: Schema, name: str, depth: int) -> list[Any]:
        least = int(schema.get("minItems", 0))
        self._room(least)
        most = min(int(schema.get("maxItems", max(least, 3))), least + MOST_ITEMS)
        size = least if self.sparse or depth >= DEEP else self.faker.random_int(least, most)
        fixed = [self.draw(one, name, depth + 1) for one in schema.get("prefixItems") or ()]
        items = schema.get("items", {})
        found = fixed + [self.draw(items, name, depth + 1) for _ in range(size - len(fixed))]
        if not schema.get("uniqueItems"):
            return found
        unique = {json.dumps(one, sort_keys=True): one for one in found}
        for _ in range(TRIES * max(size, 1)):
            if len(unique) >= size:
                break
            one = self.draw(items, name, depth + 1)
            unique[json.dumps(one, sort_keys=True)] = one
        return list(unique.values())

    def _number(self, schema: Schema, *, whole: bool) -> int | float:
        step = schema.get("multipleOf") or (1 if whole else 0.5)
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        low = (0 if high is None else high - 100 * step) if low is None else low
        high = low + 100 * step if high is None else high
        first, last = -(-low // step), high // step
        if first * step == schema.get("exclusiveMinimum"):
            first += 1
        if last * step == schema.get("exclusiveMaximum"):
            last -= 1
        if last < first:  # no multiple between the bounds: a free number may still lie there
            return low + (high - low) / 2 if not whole else int(low)
        value = self.faker.random_int(int(first), int(last)) * step
        return int(value) if whole else float(round(value, 10))

    def _text(self, schema: Schema, name: str) -> str:
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        self._room(least / CHARACTERS)
        if "pattern" in schema:
            longest = None if most is None else int(most)
            return matching_text(schema["pattern"], self.faker.random, least, longest)
        text = self._formatted(str(schema.get("format") or name))
        while len(text) < least:
            text += " " + self.faker.word()
        return text if most is None else text[: int(most)]

    def _formatted(self, hint: str) -> str:
        hint = hint.lower()
        for words, provider in TEXTS.items():
            if any(word in hint for word in words.split()):
                limit = {"end_datetime": NEWEST} if provider in DATED else {}
                return str(getattr(self.faker, provider)(**limit))
        return str(self.faker.word())

    def _referred(self, pointer: Any) -> Any:
        return find(self.root, str(pointer).removeprefix("#"), {})


TEXTS = {
    "date-time datetime timestamp": "iso8601",
    "date day": "date",
    "time": "time",
    "email": "email",
    "uuid": "uuid4",
    "uri url link": "url",
    "ipv4": "ipv4",
    "ipv6": "ipv6",
    "hostname domain": "domain_name",
    "city location place": "city",
    "country": "country",
    "address": "street_address",
    "name author": "name",
    "path file": "file_path",
    "phone": "phone_number",
    "company": "company",
    "query question text content message body description": "sentence",
}
"""Words in a format or property name, and the Faker provider for them; the first hit counts."""
DATED = ("iso8601", "date", "time")
NEWEST = datetime(2026, 1, 1)
"""Times are drawn up to here and not up to now: a seed draws the same whenever it is asked."""


def implied_type(schema: Schema) -> str:
    """The type a schema without one is about."""
    if "properties" in schema or "required" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    if "pattern" in schema:
        return "string"
    if "minimum" in schema or "maximum" in schema or "multipleOf" in schema:
        return "number"
    return "string"


def merged(one: Schema, other: Any) -> dict[str, Any]:
    """Two schemas that hold together."""
    if not isinstance(other, Mapping):
        return dict(one)
    both = {**one, **other}
    for key in ("properties", "$defs"):
        if key in one and key in other:
            both[key] = {**one[key], **other[key]}
    if "required" in one and "required" in other:
        both["required"] = [*one["required"], *other["required"]]
    return both


def value_for(schema: Schema, seed: int, pointer: str) -> Any:
    """A value that satisfies `schema`; raises BadRequest if it is no schema or none was found."""
    if too_large(schema):
        rule = f"has more than {MOST_SUBSCHEMAS} subschemas, references followed"
        raise _refused(pointer, rule, "simplify it")
    try:
        validator = jsonschema_rs.validator_for(
            dict(schema), retriever=unreachable, pattern_options=PATTERNS
        )
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise _refused(pointer, f"is not a JSON schema: {error}", "correct the schema") from error
    try:
        source = SchemaValues(seed, schema)
    except ModuleNotFoundError as error:
        raise _refused(pointer, "values for it are made by faker", INSTALL) from error
    missed = ""
    for attempt in range(TRIES):
        source.sparse = attempt >= TRIES // 2
        try:
            value = source.draw(schema)
        except TooMuch as problem:
            raise _refused(pointer, f"asks for too much: {problem}", "lower its minimums") from None
        except NotDrawn as problem:
            missed = f": {problem}"
            continue  # where it is optional, a later try leaves it out
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            continue  # a contradiction, such as a minimum above its maximum
        if validator.is_valid(value):
            return value
        path = next(iter(validator.iter_errors(value))).schema_path
        missed = f": {'/'.join(map(str, path))} is not drawn"
    fix = "simplify it: keywords that contradict or depend on each other are not drawn"
    raise _refused(pointer, f"no value was found that satisfies this schema{missed}", fix)


def _refused(pointer: str, rule: str, fix: str) -> BadRequest:
    where = pointer.strip("/").replace("/", ".")
    return BadRequest(f"{where}: {rule}", pointer=pointer, rule="a usable JSON schema", fix=fix)
