"""From the catalogue to the engine: base models as the engine builds them."""

import asyncio
from functools import cache
from typing import TYPE_CHECKING

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.engine import BaseModel
from tinker_mock.server.engine.model.corpus import kept_documents, kept_texts
from tinker_mock.server.engine.model.grammar import ChatGrammar
from tinker_mock.server.engine.model.keys import Ints
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.stand_in import identity_of
from tinker_mock.server.tokenizers import (
    own_files,
    text_is_installed,
    tokenizer_for,
)

if TYPE_CHECKING:
    from tinker_mock.server.tokenizers import Tokenizer


def base_of(backend: Backend, name: str) -> BaseModel:
    """The engine's base model of a row of the catalogue, made once for all rows of its weights.

    Raises BadRequest.
    """
    model = backend.catalog.get(name)
    if model.base not in backend.bases:
        longest = max(row.context_length for row in backend.catalog.rows_of(model.base))
        base = engine_base(model, longest)
        backend.scripts.give(base, model)
        backend.bases[model.base] = base
    return backend.bases[model.base]


async def prepared(backend: Backend, name: str) -> BaseModel:
    """The base model with what it knows untrained, which takes a moment to make.

    Whoever asks meanwhile waits for the same preparation. Raises BadRequest.
    """
    base = base_of(backend, name)
    if not base.prepared:
        task = backend.preparing.get(base.name)
        if task is None:
            task = asyncio.create_task(backend.compute(base.prepare))
            backend.preparing[base.name] = task
            task.add_done_callback(lambda _: backend.preparing.pop(base.name))
        await asyncio.shield(task)
    return base


def give_text(base: BaseModel, model: CatalogModel) -> None:
    """Let a base model decode its tokens; its own tokenizer is found when it appears later.

    Loading one takes a moment: call it in a worker thread, and only where text is needed.
    """
    tokenizer = tokenizer_for(model)
    if tokenizer is not None:
        base.decode = tokenizer.decode


def engine_base(model: CatalogModel, context_length: int | None = None) -> BaseModel:
    """The engine's model for a catalogue entry; its context is the entry's if none is given."""
    opening, closing = model.thinking or (None, None)
    grammar = ChatGrammar(
        end_tokens=model.end_tokens,
        header=model.turn_prefix,
        opening=model.answer_prefix,
        closing=model.answer_suffix,
        think_open=opening,
        think_close=closing,
        thinks=bool(model.thinking),
        specials=_specials(model),
    )
    return BaseModel(
        model.base,
        model.vocabulary_size,
        model.tokenizer_size,
        model.end_tokens,
        grammar=grammar,
        context_length=context_length or model.context_length,
        corpus=lambda: _texts(model, grammar),
    )


def _specials(model: CatalogModel) -> tuple[tuple[int, int], ...]:
    """Ranges of the ids that are never text."""
    alone = tuple((token, token) for token in model.other_special_tokens)
    first_and_last = model.special_tokens
    return ((first_and_last[0], first_and_last[1]), *alone) if first_and_last else alone


def _texts(model: CatalogModel, grammar: ChatGrammar) -> list[Ints]:
    """What the model's untrained text looks like; nothing without the extra that writes it."""
    files = own_files(model)
    if not text_is_installed():
        return []
    name = f"stand-in {identity_of(model)}"
    if files:
        name = repr((model.tokenizer_id, model.family, model.tokenizer_size, files))
    tokenizer = cache(lambda: _loaded(model))  # looking for it takes longer than a sentence
    try:
        return kept_documents(name, lambda text: tokenizer().encode(text), grammar)
    except LookupError:
        return []


def prepare_texts() -> None:
    """What the text of every base model is made of, for the first that asks."""
    if text_is_installed():
        kept_texts()


def _loaded(model: CatalogModel) -> "Tokenizer":
    """The model's tokenizer, which what is kept on disk needs no more; raises LookupError."""
    tokenizer = tokenizer_for(model)
    if tokenizer is None:
        raise LookupError(model.name)
    return tokenizer
