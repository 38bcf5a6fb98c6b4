"""One base model on offer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

SAMPLING_ONLY = ":sampling-"
"""What the names of serverless rows have: they sample, and are no base of an adapter."""


@dataclass(frozen=True)
class CatalogModel:
    """A row of the catalogue; the meaning of each field is told in `models.yaml`.

    Rows of one base model (`NAME`, `NAME:peft:N`, ...) share its weights: `base` is their common
    name. They differ in name, context length and what they are for.
    """

    name: str
    family: str
    vocabulary_size: int
    tokenizer_size: int
    context_length: int
    tokenizer_id: str
    end_tokens: tuple[int, ...]
    base: str = ""
    arch: str = "unknown"
    special_tokens: tuple[int, ...] = ()
    other_special_tokens: tuple[int, ...] = ()
    thinking: tuple[int, ...] = ()
    thinking_prefix: tuple[int, ...] = ()
    turn_prefix: tuple[int, ...] = ()
    answer_prefix: tuple[int, ...] = ()
    answer_suffix: int | None = None
    chat: bool = True
    images: bool = False
    audio: bool = False
    trainable: bool = True
    sampleable: bool = True
    retired: date | None = None
    replacement: str = ""
    image_tokens: Mapping[str, Any] = field(default_factory=dict, compare=False)
    architecture: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def is_mark(self, token: int) -> bool:
        """Whether an id is one of the family's marks, which are no words of an answer."""
        first, last = self.special_tokens or (0, -1)
        more = (*self.other_special_tokens, *self.end_tokens, *self.thinking)
        return first <= token <= last or token in more
