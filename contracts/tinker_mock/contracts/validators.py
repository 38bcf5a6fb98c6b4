"""Compiled validators of one document, made at first use and kept."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from jsonschema_rs import Draft202012Validator, Registry

from tinker_mock.contracts.closed_schema import closed


class Validators:
    """Compiles schemas that refer to `#/components/…` of the document."""

    def __init__(self, name: str, document: dict[str, Any]) -> None:
        self._name = name
        self._base = f"urn:contract:{name}"
        self._registry = Registry([(self._base, {"components": document.get("components", {})})])
        self._compiled: dict[str, Draft202012Validator] = {}
        self._document = document

    @cached_property
    def closed(self) -> "Validators":
        """The same for schemas that are closed, with what they refer to."""
        components = closed(self._document.get("components", {}))
        return Validators(f"{self._name}:closed", {"components": components})

    @cached_property
    def names(self) -> frozenset[str]:
        """Every field that some schema of the document has."""
        return frozenset(_names(self._document))

    def get(self, key: str, schema: dict[str, Any] | bool) -> Draft202012Validator:
        """The validator of `schema`, compiled once under `key`."""
        validator = self._compiled.get(key)
        if validator is None:
            validator = Draft202012Validator(
                self._absolute(schema), registry=self._registry, validate_formats=True
            )
            self._compiled[key] = validator
        return validator

    def _absolute(self, node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: f"{self._base}{value}"
                if key == "$ref" and isinstance(value, str) and value.startswith("#")
                else self._absolute(value)
                for key, value in node.items()
            }
        if isinstance(node, list):
            return [self._absolute(item) for item in node]
        return node


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict):
            yield from properties
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _names(inner)
