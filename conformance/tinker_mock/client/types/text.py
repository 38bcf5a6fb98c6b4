"""Text to tokens and back, with whatever tokenizer belongs to the model."""

from collections.abc import Sequence
from typing import Any

from tinker_mock.client.errors import Category, ValidationError, invalid


def encode_text(
    text: object, *, model_name: str | None = None, tokenizer: Any = None, **options: Any
) -> list[int]:
    """Token ids of a text; `options` are those of `load_tokenizer`. Raises `ValidationError`."""
    if not isinstance(text, str):
        raise invalid("text must be a string")
    # Our own tokenizers add what a model wants around a text (BOS) only when asked.
    own = {} if tokenizer else {"add_special_tokens": True}
    encoder = tokenizer or load_tokenizer(model_name, **options)
    if tokenizer and options:
        raise invalid(f"{', '.join(options)}: options are for a tokenizer that is loaded by name")
    try:
        return [int(token) for token in encoder.encode(text, **own)]
    except ValueError as error:
        raise invalid(f"Failed to encode text: {error}") from error


def decode_tokens(
    tokens: Sequence[int], *, model_name: str | None = None, tokenizer: Any = None
) -> str:
    """The text of token ids. Raises `ValidationError`."""
    if any(isinstance(token, bool) or not isinstance(token, int) for token in tokens):
        raise invalid("ids must be a list of integers")
    decoder = tokenizer or load_tokenizer(model_name)
    try:
        return str(decoder.decode(list(tokens)))
    except ValueError as error:
        raise invalid(f"Failed to decode ids: {error}") from error


def load_tokenizer(model_name: str | None, **options: Any) -> Any:
    """The tokenizer of a model, through the project's tokenizer subsystem."""
    if not model_name:
        raise invalid("model_name is required: which model's tokenizer shall encode the text?")
    from tinker_mock.tokenizer import load_tokenizer as load

    try:
        return load(model_name, **options)
    except (OSError, ValueError, LookupError) as error:
        raise ValidationError(
            f"Failed to load the tokenizer of {model_name}: {error}", category=Category.USER
        ) from error
