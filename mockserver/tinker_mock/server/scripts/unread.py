"""Prompts that a script cannot read, because their client has another tokenizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.own_tokenizers import kind_of
from tinker_mock.server.scripts.script import Script
from tinker_mock.server.tokenizers import ENVIRONMENT, has_own_files, own_tokenizer


def unread_prompts(script: Script, models: Sequence[CatalogModel]) -> Iterator[str]:
    """What people are told of the models that are read with stand-ins; nothing for a script that
    looks for ids."""
    if script.pattern is None and script.function is None:
        return
    missing = [model for model in models if not _has_own(model, exactly=len(models) == 1)]
    if not missing:
        return
    whose = missing[0].name if len(missing) == 1 else f"{len(missing)} models"
    what = "a stand-in" if len(missing) == 1 else "stand-ins"
    taken = any(kind_of(model) for model in missing)
    fix = (
        "take them with `tinker-mock tokenizers take`" if taken else f"put them into {ENVIRONMENT}"
    )
    seen = f"; so were {script.unread} prompts until now" if script.unread else ""
    yield (
        f"prompts for {whose} are read with {what}: those that a client encoded with the model's "
        f"own tokenizer are not recognised{seen}. Let clients load the tokenizer that get_info "
        f"names, or have the models' own here: {fix}"
    )


def _has_own(model: CatalogModel, *, exactly: bool) -> bool:
    if exactly:
        return own_tokenizer(model) is not None
    return has_own_files(model)
