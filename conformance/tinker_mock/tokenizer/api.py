"""Encode and decode by a model's name, with the arguments checked."""

from typing import Any

from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.factory import load_tokenizer
from tinker_mock.tokenizer.load_options import LoadOptions
from tinker_mock.tokenizer.model_ids import tokenizer_id_of


def encode_with(model: Any, text: Any, options: LoadOptions | None = None) -> list[int]:
    """The ids of `text` for a model's tokenizer, with what the model wants around a text."""
    if not isinstance(text, str):
        raise TokenizerError("validation", "text must be a binary", fix="Give a string.")
    tokenizer = load_tokenizer(tokenizer_id_of(model), options)
    return tokenizer.encode(text, add_special_tokens=True)


def decode_with(model: Any, ids: Any, options: LoadOptions | None = None) -> str:
    """The text of `ids` for a model's tokenizer."""
    if not isinstance(ids, list | tuple):
        raise TokenizerError("validation", "ids must be a list of integers")
    for position, token_id in enumerate(ids):
        if not isinstance(token_id, int) or isinstance(token_id, bool):
            raise TokenizerError(
                "validation", "ids must be integers", fix=f"(ids[{position}] is {token_id!r})"
            )
    return load_tokenizer(tokenizer_id_of(model), options).decode(ids)
