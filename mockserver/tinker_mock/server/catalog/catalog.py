"""Base models by name, from the shipped YAML and the user's own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tinker_mock.server.errors import BadRequest, ConfigurationError

SHIPPED = Path(__file__).with_name("models.yaml")
SUFFIX = re.compile(r":peft:\d+$")
REQUIRED = ("vocabulary_size", "context_length", "end_tokens")
LARGEST = {"vocabulary_size": 1 << 24, "tokenizer_size": 1 << 24, "context_length": 1 << 26}
WHOLE_NUMBERS = LARGEST.keys()
LONGEST_NAME = 200
"""Of a model that another may be meant by."""


@dataclass(frozen=True)
class CatalogModel:
    """One base model on offer; the meaning of each field is told in `models.yaml`."""

    name: str
    family: str
    vocabulary_size: int
    tokenizer_size: int
    context_length: int
    tokenizer_id: str
    end_tokens: tuple[int, ...]
    arch: str = "unknown"
    special_tokens: tuple[int, ...] = ()
    thinking: tuple[int, ...] = ()
    thinking_prefix: tuple[int, ...] = ()
    turn_prefix: tuple[int, ...] = ()
    answer_prefix: tuple[int, ...] = ()
    answer_suffix: int | None = None
    chat: bool = True
    images: bool = False
    trainable: bool = True
    sampleable: bool = True


class Catalog:
    """The models a server offers."""

    def __init__(self, models: Mapping[str, CatalogModel]) -> None:
        self.models = dict(models)

    @classmethod
    def load(cls, extra: Path | None = None) -> Catalog:
        """The shipped models, then those of `extra` (same format; the same name replaces).

        Raises ConfigurationError naming file and model.
        """
        families, models = _document(SHIPPED)
        catalog = cls(_models(SHIPPED, families, models))
        if extra is not None:
            more_families, more = _document(extra)
            catalog.models.update(_models(extra, {**families, **more_families}, more))
        return catalog

    def get(self, name: str, pointer: str = "/base_model") -> CatalogModel:
        """The model of that name; `name:peft:N` means the same base.

        Raises BadRequest naming close matches.
        """
        model = self.models.get(SUFFIX.sub("", name))
        if model is None:
            close = self.close_matches(name)
            hint = f"did you mean {' or '.join(map(repr, close))}?" if close else ""
            fix = hint or "GET /api/v1/get_server_capabilities lists the models on offer"
            raise BadRequest(
                f"{pointer.strip('/')}: unknown base model {name!r}",
                pointer=pointer,
                rule="the base model is one of the models on offer",
                fix=fix,
                requirement="models/create/unknown-base",
                details={"close_matches": close},
            )
        return model

    def close_matches(self, name: str) -> list[str]:
        """Up to three names that look like `name`, organisation or not, best first."""
        wanted = name.lower()[:LONGEST_NAME]
        by_key: dict[str, str] = {}
        for known in self.models:
            by_key[known.lower()] = known
            by_key.setdefault(known.lower().split("/")[-1], known)
        found = difflib.get_close_matches(wanted, by_key, n=6, cutoff=0.5)
        return list(dict.fromkeys(by_key[key] for key in found))[:3]


@cache
def _shipped_text() -> str:
    return SHIPPED.read_text(encoding="utf-8")


def _document(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        text = _shipped_text() if path == SHIPPED else path.read_text(encoding="utf-8")
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"models: {path}: {reason}") from error
    if not isinstance(document, dict) or not isinstance(document.get("models"), dict):
        raise ConfigurationError(f"models: {path}: expected a mapping with `models:`")
    return document.get("families") or {}, document["models"]


def _models(
    path: Path, families: Mapping[str, Any], models: Mapping[str, Any]
) -> dict[str, CatalogModel]:
    return {name: _model(path, families, name, given or {}) for name, given in models.items()}


def _model(
    path: Path, families: Mapping[str, Any], name: str, given: Mapping[str, Any]
) -> CatalogModel:
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"models: {path}: {name}: expected a mapping, got {given!r}")
    family = given.get("family", "")
    if family and family not in families:
        raise ConfigurationError(f"models: {path}: {name}: unknown family {family!r}")
    told = {**families.get(family, {}), **given}
    base_end, is_base = told.pop("base_end_tokens", None), told.pop("base", False)
    if is_base:
        told["end_tokens"] = base_end or told.get("end_tokens")
        told.update(chat=False, thinking=())
    missing = [field for field in REQUIRED if not told.get(field)]
    unknown = sorted(set(told) - {field.name for field in fields(CatalogModel)})
    if missing or unknown:
        fault = f"missing {missing}" if missing else f"unknown {unknown}"
        raise ConfigurationError(f"models: {path}: {name}: {fault}")
    for field in WHOLE_NUMBERS & told.keys():
        if type(told[field]) is not int or not 1 <= told[field] <= LARGEST[field]:
            most = LARGEST[field]
            fault = f"{field} must be a whole number from 1 to {most}, got {told[field]!r}"
            raise ConfigurationError(f"models: {path}: {name}: {fault}")
    if not isinstance(told["end_tokens"], list):
        fault = f"end_tokens must be a list of token ids, got {told['end_tokens']!r}"
        raise ConfigurationError(f"models: {path}: {name}: {fault}")
    told = {key: tuple(v) if isinstance(v, list) else v or () if key == "thinking" else v
            for key, v in told.items()}  # fmt: skip
    defaults = {"tokenizer_size": told["vocabulary_size"], "tokenizer_id": name}
    return CatalogModel(**{"name": name, "family": family, **defaults, **told})
