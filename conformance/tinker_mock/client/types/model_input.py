"""`ModelInput`: a sequence of chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tinker_mock.client.errors import invalid
from tinker_mock.client.types.chunks import Chunk, EncodedTextChunk
from tinker_mock.client.types.text import encode_text


@dataclass(frozen=True, slots=True)
class ModelInput:
    """What the model reads. Immutable: `append` and `append_int` give a new one."""

    chunks: Sequence[Chunk] = ()

    @classmethod
    def empty(cls) -> "ModelInput":
        return cls(())

    @classmethod
    def from_ints(cls, tokens: Sequence[int]) -> "ModelInput":
        """From token ids, as one text chunk."""
        return cls((EncodedTextChunk([int(token) for token in tokens]),))

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        model_name: str | None = None,
        tokenizer: Any = None,
        **options: Any,
    ) -> "ModelInput":
        """Encode text with `tokenizer` (anything with `encode`), or with the model's own one.

        `options` are those of `tinker_mock.tokenizer.load_tokenizer`: `tiktoken_model_path`,
        `cache_dir`, `offline`, … Raises `ValidationError` when there is no tokenizer, or the text
        is not a string.
        """
        ids = encode_text(text, model_name=model_name, tokenizer=tokenizer, **options)
        return cls.from_ints(ids)

    @property
    def length(self) -> int:
        """Positions taken. Raises `ValidationError` if an image does not say how many it takes."""
        return sum(chunk.length for chunk in self.chunks)

    def to_ints(self) -> list[int]:
        """The token ids. Raises `ValidationError` if there is anything but text."""
        tokens: list[int] = []
        for chunk in self.chunks:
            if not isinstance(chunk, EncodedTextChunk):
                raise invalid(f"to_ints needs text chunks only, found {chunk.type}")
            tokens.extend(chunk.tokens)
        return tokens

    def append(self, chunk: Chunk) -> "ModelInput":
        """With one more chunk at the end."""
        return ModelInput((*self.chunks, chunk))

    def append_int(self, token: int) -> "ModelInput":
        """With one more token, in the last chunk if that is text."""
        if self.chunks and isinstance(last := self.chunks[-1], EncodedTextChunk):
            return ModelInput((*self.chunks[:-1], EncodedTextChunk([*last.tokens, token])))
        return self.append(EncodedTextChunk([token]))
