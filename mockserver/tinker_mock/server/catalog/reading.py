"""The catalogue's YAML: families, models and their rows."""

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

from tinker_mock.server.catalog.model import SAMPLING_ONLY, CatalogModel
from tinker_mock.server.catalog.shipped import MODELS, shipped_document
from tinker_mock.server.errors import ConfigurationError

DEEPEST = 32
VARIANT = re.compile(r"peft:(?P<length>[1-9]\d*)(:sampling-\w+)?")
REQUIRED = ("vocabulary_size", "context_length", "end_tokens")
LARGEST = {"vocabulary_size": 1 << 24, "tokenizer_size": 1 << 24, "context_length": 1 << 26}
MAPPINGS = {"architecture", "image_tokens"}
FIELDS = {field.name for field in fields(CatalogModel)} - {"name", "base"}

Rows = dict[str, CatalogModel]


def read_models(extra: Path | None = None) -> Rows:
    """The shipped rows, then those of `extra` (same format; the same name replaces).

    Raises ConfigurationError naming file and model.
    """
    document = shipped_document()
    families, known = document["families"], document["architectures"]
    models = {
        name: {**given, "architecture": known[name]} if name in known else given
        for name, given in document["models"].items()
    }
    rows = _rows(MODELS, families, models)
    if extra is not None:
        more_families, more = _document(extra)
        for name in more:
            rows = {row.name: row for row in rows.values() if row.base != name}
        rows.update(_rows(extra, {**families, **more_families}, more))
    return rows


def _document(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        _refuse_depth(text, loader)
        document = yaml.load(text, Loader=loader) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"models: {path}: {reason}") from error
    if not isinstance(document, dict) or not isinstance(document.get("models"), dict):
        raise ConfigurationError(f"models: {path}: expected a mapping with `models:`")
    return document.get("families") or {}, document["models"]


def _refuse_depth(text: str, loader: Any) -> None:
    """Raises ValueError for a document that would end the process: libyaml goes down in C."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"nests deeper than {DEEPEST}")


def _rows(path: Path, families: Mapping[str, Any], models: Mapping[str, Any]) -> Rows:
    rows: Rows = {}
    for name, given in models.items():
        for row in _model(path, families, name, given or {}):
            rows[row.name] = row
    return rows


def _model(
    path: Path, families: Mapping[str, Any], name: str, given: Mapping[str, Any]
) -> list[CatalogModel]:
    """A model's rows: its own, unless only variants are on offer, and its variants'."""
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"models: {path}: {name}: expected a mapping, got {given!r}")
    family = given.get("family", "")
    if family and family not in families:
        raise ConfigurationError(f"models: {path}: {name}: unknown family {family!r}")
    told = {**families.get(family, {}), **given}
    base_end, is_base = told.pop("base_end_tokens", None), told.pop("base", False)
    variants, only = told.pop("variants", []), told.pop("only_variants", False)
    if is_base:
        told["end_tokens"] = base_end or told.get("end_tokens")
        told.update(chat=False, thinking=())
    _check(path, name, told)
    told = {key: _frozen(key, value) for key, value in told.items()}
    defaults = {"tokenizer_size": told["vocabulary_size"], "tokenizer_id": name, "base": name}
    told = {"family": family, **defaults, **told}
    rows = [] if only else [CatalogModel(name=name, **told)]
    return rows + [_variant(path, name, variant, told) for variant in variants]


def _variant(path: Path, name: str, variant: str, told: Mapping[str, Any]) -> CatalogModel:
    found = VARIANT.fullmatch(str(variant))
    if found is None:
        fault = f"variant {variant!r} is not peft:N or peft:N:sampling-KIND"
        raise ConfigurationError(f"models: {path}: {name}: {fault}")
    row = f"{name}:{variant}"
    own = {"context_length": int(found["length"])}
    if SAMPLING_ONLY in row:
        own["trainable"] = False
    return CatalogModel(**{**told, **own, "name": row})


def _check(path: Path, name: str, told: Mapping[str, Any]) -> None:
    missing = [field for field in REQUIRED if not told.get(field)]
    unknown = sorted(set(told) - FIELDS)
    faults = [f"missing {missing}"] if missing else [f"unknown {unknown}"] if unknown else []
    for field in sorted(LARGEST.keys() & told.keys()):
        if type(told[field]) is not int or not 1 <= told[field] <= LARGEST[field]:
            most = LARGEST[field]
            faults.append(f"{field} must be a whole number from 1 to {most}, got {told[field]!r}")
    if not faults and not isinstance(told["end_tokens"], list):
        faults.append(f"end_tokens must be a list of token ids, got {told['end_tokens']!r}")
    if type(told.get("retired", date.min)) is not date:
        faults.append(f"retired must be a date like 2026-06-12, got {told['retired']!r}")
    for field in sorted(MAPPINGS & told.keys()):
        if not isinstance(told[field], dict):
            faults.append(f"{field} must be a mapping, got {told[field]!r}")
    if faults:
        raise ConfigurationError(f"models: {path}: {name}: {faults[0]}")


def _frozen(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return () if value is None and key == "thinking" else value
