"""Reading schemas: references, the fields a value uses, values out of query strings."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import Any

from tinker_mock.contracts.pointer import join, look_up
from tinker_mock.contracts.versions import SdkRange

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Use:
    """A field of a value and the schema that describes it (None: the contract doesn't know it)."""

    path: tuple[str | int, ...]
    schema: Schema | None
    value: Any

    @property
    def pointer(self) -> str:
        return join(self.path)


class Schemas:
    """The component schemas of one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._resolved: dict[int, Any] = {}

    def resolve(self, node: Any) -> Any:
        """Follow `$ref`; keywords beside it (SDK ranges) stay in force."""
        if not isinstance(node, dict) or "$ref" not in node:
            return node
        # The document outlives this object and is never edited: an id names its node for good.
        found = self._resolved.get(id(node))
        if found is None:
            found = self._resolved[id(node)] = self._follow(node)
        return found

    def _follow(self, node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            beside = {key: value for key, value in node.items() if key != "$ref"}
            target = look_up(self._document, node["$ref"].removeprefix("#"))
            node = {**target, **beside}
        return node

    def uses(self, schema: Any, value: Any, path: tuple[str | int, ...] = ()) -> Iterator[Use]:
        """Every field of `value`, at any depth, with its schema."""
        schema = self.resolve(schema)
        if not isinstance(schema, dict):
            return
        alternatives = schema.get("anyOf") or schema.get("oneOf")
        if alternatives and "properties" not in schema:
            chosen = self.choose(list(self.flatten(alternatives)), value)
            if chosen is not None:
                yield from self.uses(chosen, value, path)
        elif isinstance(value, dict):
            yield from self._fields(schema, value, path)
        elif isinstance(value, list) and value and isinstance(value[0], (dict, list)):
            items = schema.get("items")
            for index, item in enumerate(value if items else ()):
                yield from self.uses(items, item, (*path, index))

    def _fields(
        self, schema: Schema, value: dict[str, Any], path: tuple[str | int, ...]
    ) -> Iterator[Use]:
        properties = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        free = not properties or isinstance(rest, dict) or rest is True
        for key, item in value.items():
            described = properties.get(key, rest if isinstance(rest, dict) else None)
            where = (*path, key)
            if key in properties:
                yield Use(where, self.resolve(described), item)
            elif not free:
                yield Use(where, None, item)
            if described is not None:
                yield from self.uses(described, item, where)

    def choose(self, branches: list[Schema], value: Any) -> Schema | None:
        """Of flattened alternatives, the one that knows most of the value's fields.

        A branch is out if a field it requires is absent, or one of its constants differs.
        """
        return self.chooser(branches)(value)

    def chooser(self, branches: list[Schema]) -> Callable[[Any], Schema | None]:
        """`choose` for the same branches again and again."""
        objects = [self._object(branch) for branch in branches if "properties" in branch]

        def choose(value: Any) -> Schema | None:
            if not isinstance(value, dict):
                kind = "array" if isinstance(value, list) else None
                return next((branch for branch in branches if branch.get("type") == kind), None)
            best, most = None, -1
            for branch, known, required, constants in objects:
                if not value.keys() >= required:
                    continue
                if any(key in value and value[key] != wanted for key, wanted in constants):
                    continue
                shared = len(known & value.keys())
                if shared > most:
                    best, most = branch, shared
            return best

        return choose

    def _object(
        self, branch: Schema
    ) -> tuple[Schema, Set[str], frozenset[str], list[tuple[str, Any]]]:
        """An alternative: its fields, those it requires, and its constants."""
        fields = {key: self.resolve(node) for key, node in branch["properties"].items()}
        constants = [
            (key, node["const"])
            for key, node in fields.items()
            if isinstance(node, dict) and "const" in node
        ]
        return branch, fields.keys(), frozenset(branch.get("required", ())), constants

    def flatten(self, alternatives: list[Any]) -> Iterator[Schema]:
        """The branches, with those that are alternatives themselves taken apart."""
        for branch in map(self.resolve, alternatives):
            nested = branch.get("anyOf") or branch.get("oneOf")
            if nested and "properties" not in branch:
                yield from self.flatten(nested)
            else:
                yield branch


def outside(use: Use, release: str) -> SdkRange | None:
    """The range a field or enum value is limited to, if `release` lies outside of it."""
    if use.schema is None:
        return None
    limits = [SdkRange.of(use.schema)]
    limit = use.schema.get("x-sdk-values", {}).get(str(use.value))
    if limit is not None:
        limits.append(SdkRange(limit.get("since"), limit.get("until")))
    return next((limit for limit in limits if release not in limit), None)


def coerce(schema: Schema, text: Any) -> Any:
    """A query-string or header value as the type its schema names; unparsable text stays text."""
    kind = schema.get("type")
    if not isinstance(text, str):
        return text
    try:
        if kind == "integer":
            return int(text)
        if kind == "number":
            return float(text)
    except ValueError:
        return text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind == "array":
        return [coerce(schema.get("items", {}), part) for part in text.split(",")] if text else []
    return text
