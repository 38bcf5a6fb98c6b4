"""The scripts of one mock: checked when they are added, given to each base model they are for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tinker_mock.server.catalog import Catalog, CatalogModel
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.scripts.formats import format_of
from tinker_mock.server.scripts.rendering import rendered
from tinker_mock.server.scripts.script import Script, ScriptFault, Spoken, script_of
from tinker_mock.server.scripts.unread import unread_prompts
from tinker_mock.server.tokenizers import tokenizer_for

if TYPE_CHECKING:
    from tinker_mock.server.engine import BaseModel
    from tinker_mock.server.scripts import model_script
else:
    model_script = LazyModule("tinker_mock.server.scripts.model_script")

MARK = re.compile(r"<\|[a-z_]+\|>|<｜[^｜]+｜>")


@dataclass(frozen=True)
class Added:
    """A script in force, and what may keep it from firing; `hints`, for some clients of some of
    its models."""

    script: Script
    warnings: list[str]
    hints: list[str]


class Scripts:
    """All scripts, oldest first. Where several fit a prompt, the newest answers."""

    def __init__(self, catalog: Catalog, bases: Mapping[str, BaseModel]) -> None:
        self.catalog = catalog
        self.bases = bases
        self.entries: list[Script] = []
        self._original: list[Script] = []

    def begin_with(self, scripts: Iterable[Script]) -> list[str]:
        """Those of the start, which a restart brings back; returns their warnings.

        Raises ScriptFault.
        """
        self._original = list(scripts)
        added = [self.add(script) for script in self._original]
        return [*dict.fromkeys(w for one in added for w in (*one.warnings, *one.hints))]

    def restart(self) -> None:
        """As after the start: what was added since is gone, and nothing has fired."""
        self.clear()
        for script in self._original:
            script.forget()
            self.add(script)

    def add(self, script: Script) -> Added:
        """Put a script in force. Raises ScriptFault for one that can never fire."""
        models = self._models_of(script)
        faults: dict[str, ScriptFault] = {}
        for model in models:
            try:
                check(script, model, lengths=len(models) == 1)
            except ScriptFault as fault:
                faults[model.name] = fault
        if len(faults) == len(models):
            raise next(iter(faults.values()))
        warnings = [f"cannot fire for {name}: {fault}" for name, fault in faults.items()]
        warnings += self._doubts(script)
        self.entries.append(script)
        script.doubts = tuple(warnings)
        unread = [*unread_prompts(script, models)]
        for model in models:
            base = self.bases.get(model.base)
            if base is not None:
                base.scripted_answers.add(model_script.ModelScript(script, model))
        named = len(models) == 1
        return Added(script, warnings + unread if named else warnings, [] if named else unread)

    def clear(self) -> None:
        """Forget all."""
        self.entries.clear()
        for base in self.bases.values():
            base.scripted_answers.clear()

    def told(self) -> list[dict[str, Any]]:
        """All but Python functions, as they were told: what `bring_back` takes."""
        return [dict(script.described) for script in self.entries if script.function is None]

    def bring_back(self, told: Iterable[Mapping[str, Any]]) -> None:
        """These and no others, from their first answer on."""
        self.clear()
        for one in told:
            self.add(script_of(one))

    def give(self, base: BaseModel, model: CatalogModel) -> None:
        """Let a fresh base model have the scripts that are for it."""
        for script in self.entries:
            if model.base in [one.base for one in self._models_of(script)]:
                base.scripted_answers.add(model_script.ModelScript(script, model))

    def _models_of(self, script: Script) -> list[CatalogModel]:
        if not any(sign in script.model for sign in "*?["):
            try:
                return [self.catalog.get(script.model, "/model")]
            except BadRequest as problem:
                told = problem.message.removeprefix("model: ")
                raise ScriptFault("model", told, problem.fix or "") from None
        names = [name for name in self.catalog.models if fnmatchcase(name, script.model)]
        if not names:
            rule = f"no model on offer is called {script.model!r}"
            raise ScriptFault("model", rule, "Name a model, or use *")
        rows: dict[str, CatalogModel] = {}
        for name in names:
            rows.setdefault(self.catalog.models[name].base, self.catalog.models[name])
        return [*rows.values()]

    def _doubts(self, script: Script) -> Iterator[str]:
        for place, older in enumerate(self.entries):
            same = (older.model, older.pattern, older.tokens)
            if script.function is None and same == (script.model, script.pattern, script.tokens):
                yield f"script {place} looks for the same and cannot fire any more"

    def listed(self) -> list[dict[str, Any]]:
        """All scripts, how often each fired, and what keeps them from it as things are now."""
        shown = []
        for script in self.entries:
            doubts = [*script.doubts, *unread_prompts(script, self._models_of(script))]
            shown.append({**script.as_json(), **({"warnings": doubts} if doubts else {})})
        return shown


def check(script: Script, model: CatalogModel, *, lengths: bool) -> None:
    """Raises ScriptFault when the script can never fire for the model, saying why."""
    if not model.sampleable:
        raise ScriptFault("model", f"{model.name} cannot be sampled", "Name another model")
    tokens, name = script.tokens or (), model.name
    if tokens and not all(0 <= token < model.vocabulary_size for token in tokens):
        rule = f"has ids that {name} has not (0 to {model.vocabulary_size - 1})"
        raise ScriptFault("pattern_tokens", rule, "Use ids of the model's tokenizer")
    if len(tokens) >= model.context_length:
        rule = f"{len(tokens)} tokens do not fit {name}'s context of {model.context_length}"
        raise ScriptFault("pattern_tokens", rule, "Shorten it")
    if script.pattern is not None:
        _check_pattern(script.pattern, model)
    for place, spoken in enumerate(script.answers):
        at = f"answers[{place}]." if "answers" in script.described else ""
        _check_answer(spoken, model, at, lengths)


def _check_pattern(pattern: str, model: CatalogModel) -> None:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as problem:
        rule = f"is not a regular expression ({problem})"
        raise ScriptFault("pattern", rule, "Escape special signs") from None
    tokenizer = tokenizer_for(model)
    if tokenizer is None:
        rule = f"{model.name} has too few ids for text"
        raise ScriptFault("pattern", rule, "Give pattern_tokens")
    known = tokenizer.special_tokens.ids
    for mark in MARK.findall(pattern.replace("\\", "")):
        if known and mark not in known:
            rule = f"{mark} is no mark of {model.name}, whose prompts never have it"
            raise ScriptFault("pattern", rule, "Look for words of the prompt")


def _check_answer(spoken: Spoken, model: CatalogModel, at: str, lengths: bool) -> None:
    form, name = format_of(model), model.name
    if spoken.tokens and not all(0 <= t < model.tokenizer_size for t in spoken.tokens):
        rule = f"has ids that {name} never samples (it has 0 to {model.tokenizer_size - 1})"
        raise ScriptFault(f"{at}completion_tokens", rule, "Use ids of the model's tokenizer")
    if spoken.calls and form.calls is None:
        fix = "Name a chat model, or write the call out in completion"
        raise ScriptFault(f"{at}tool_calls", f"{name} has no form for tool calls", fix)
    if spoken.reasoning and form.reasoning is None:
        fix = "Name a model that thinks, or leave it out"
        raise ScriptFault(f"{at}reasoning", f"{name} does not reason", fix)
    if lengths or spoken.tokens:
        tokenizer = tokenizer_for(model)
        if tokenizer is None and spoken.tokens is None:
            fix = "Give completion_tokens"
            raise ScriptFault(f"{at}completion", f"{name} has too few ids for text", fix)
        encode = tokenizer.encode if tokenizer else None
        size = len(rendered(spoken, model, encode, "").tokens)
        if size >= model.context_length:
            rule = f"{size} tokens do not fit {name}'s context of {model.context_length}"
            raise ScriptFault(f"{at}completion", rule, "Shorten it")
