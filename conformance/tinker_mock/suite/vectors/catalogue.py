"""Every component of the vectors, and the form its entries have.

A component is a function `(input, entry) -> actual` in one of the modules of `FAMILIES`. The YAML
file beside that module lists, by component, the kinds of entries there are: a JSON Schema for each
field they need, `input` and `expected` first. A kind is told by its input. Further columns
(`expected_at_head`) have the form of `expected`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from jsonschema_rs import Draft202012Validator

from tinker_mock.contracts.violations import Violation, violations
from tinker_mock.suite.vectors.comparison import Component
from tinker_mock.suite.vectors.components import (
    bpe,
    decoding,
    kimi,
    kimi_tokenizer,
    loading,
    streams,
    templates,
)

FAMILIES: tuple[ModuleType, ...] = (
    bpe,
    decoding,
    kimi,
    kimi_tokenizer,
    loading,
    streams,
    templates,
)
Schema = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """The kinds of entries of one component. `shared` are the `$defs` their schemas refer to."""

    kinds: list[Schema]
    shared: Schema

    def misfit(self, entry: Mapping[str, Any]) -> Violation | None:
        """The first rule an entry breaks."""
        inputs = [{"properties": {"input": kind["input"]}} for kind in self.kinds]
        meant = [
            kind
            for kind, schema in zip(self.kinds, inputs, strict=True)
            if self._validator(schema).is_valid(dict(entry))
        ]
        if meant:
            schema = _any_of([_whole(kind, entry) for kind in meant])
        else:
            schema = {"properties": {"input": _any_of([kind["input"] for kind in self.kinds])}}
        errors = self._validator(schema).iter_errors(dict(entry))
        return next(iter(violations(errors)), None)

    def _validator(self, schema: Schema) -> Draft202012Validator:
        return Draft202012Validator({"$defs": self.shared, **schema})


def _whole(kind: Schema, entry: Mapping[str, Any]) -> Schema:
    columns = {name: kind["expected"] for name in entry if name.startswith("expected_")}
    return {"required": list(kind), "properties": {**columns, **kind}}


def _any_of(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


@dataclass(frozen=True)
class Catalogue:
    """Components and forms by name. A component without a form takes any entry."""

    components: Mapping[str, Component]
    forms: Mapping[str, Form] = field(default_factory=dict)

    def misfit(self, entry: Mapping[str, Any]) -> Violation | None:
        """Why an entry cannot be run, or None."""
        name = entry["component"]
        if name not in self.components:
            return Violation(
                "/component", "enum", "unknown component", sorted(self.components), name
            )
        return self.forms[name].misfit(entry) if name in self.forms else None


@cache
def catalogue() -> Catalogue:
    """All components there are."""
    components: dict[str, Component] = {}
    forms: dict[str, Form] = {}
    for family in FAMILIES:
        components |= family.COMPONENTS
        path = Path(family.__file__ or "").with_suffix(".yaml")
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        shared = document.pop("$defs")
        forms |= {name: Form(kinds, shared) for name, kinds in document.items()}
    return Catalogue(components, forms)
