"""From the catalogue to the engine: base models as the engine builds them."""

from __future__ import annotations

from mockserver.catalog import CatalogModel
from mockserver.engine import BaseModel
from mockserver.engine.grammar import ChatGrammar
from mockserver.settings import Settings


def engine_base(model: CatalogModel, settings: Settings) -> BaseModel:
    """The engine's model for a catalogue entry."""
    opening, closing = model.thinking or (None, None)
    grammar = ChatGrammar(
        end_tokens=model.end_tokens,
        header=model.turn_prefix,
        opening=model.answer_prefix,
        think_open=opening,
        think_close=closing,
        thinks=bool(model.thinking),
        specials=(model.special_tokens,) if len(model.special_tokens) == 2 else (),
    )
    return BaseModel(
        model.name,
        model.vocabulary_size,
        model.tokenizer_size,
        model.end_tokens,
        grammar=grammar,
        context_length=model.context_length,
    )
