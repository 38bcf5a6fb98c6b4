"""The facade: what every tokenizer here can do, whatever stands behind it.

All methods may be called from several threads at once; a tokenizer is loaded once and shared.
Token ids are plain `int`s; texts are `str`, in which a lone surrogate counts as U+FFFD.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, overload, runtime_checkable

if TYPE_CHECKING:
    from tinker_mock.tokenizer.templates import ChatTemplate


@dataclass(frozen=True)
class SpecialTokens:
    """The tokens with a role. `ids` maps every special token's text to its id, `others` further
    roles (`sep_token`, `image_token`, …) to their texts."""

    bos: str | None = None
    eos: str | None = None
    pad: str | None = None
    unk: str | None = None
    ids: Mapping[str, int] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)

    def template_variables(self) -> dict[str, str]:
        """`bos_token`, `eos_token`, … as chat templates call them; unset ones are left out."""
        roles = {"bos_token": self.bos, "eos_token": self.eos, **self.others}
        roles |= {"pad_token": self.pad, "unk_token": self.unk}
        return {role: text for role, text in roles.items() if text is not None}


@runtime_checkable
class Encoder(Protocol):
    """Text to token ids."""

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[int]:
        """`add_special_tokens` adds what the model wants around a text (BOS and the like);
        `allow_special_tokens` says whether specials written in the text become their ids
        (None: the tokenizer's own default, which is yes)."""
        ...

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[list[int]]:
        """As `encode` for each text, in order, on the backend's own threads."""
        ...


@runtime_checkable
class Decoder(Protocol):
    """Token ids to text."""

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Bytes that are not UTF-8 become U+FFFD."""
        ...

    def token_bytes(self, token_id: int) -> bytes | None:
        """The bytes one id stands for; None when tokens of this tokenizer are not bytes."""
        ...


@runtime_checkable
class Tokenizer(Encoder, Decoder, Protocol):
    """Both directions, the vocabulary and the chat template."""

    @property
    def name(self) -> str: ...

    @property
    def vocab_size(self) -> int:
        """One more than the largest id, specials included."""
        ...

    @property
    def special_tokens(self) -> SpecialTokens: ...

    @property
    def byte_level(self) -> bool:
        """Whether `token_bytes` answers for every id and `decode` only joins those bytes."""
        ...

    chat_template: "ChatTemplate | None"

    def token_to_id(self, token: str) -> int | None: ...

    def id_to_token(self, token_id: int) -> str | None: ...

    def is_special(self, token_id: int) -> bool:
        """Whether `skip_special_tokens` drops this id."""
        ...

    @overload
    def apply_chat_template(
        self, messages: Sequence[Any], *, tokenize: Literal[False] = False, **options: Any
    ) -> str: ...

    @overload
    def apply_chat_template(
        self, messages: Sequence[Any], *, tokenize: bool, **options: Any
    ) -> Any: ...

    def apply_chat_template(self, messages: Sequence[Any], **options: Any) -> Any:
        """The conversation as the model's prompt, with the options transformers has.

        `tools` (JSON schemas or Python functions), `documents`, `chat_template` (a name or a
        template), `add_generation_prompt`, `continue_final_message` (True, or the field to go on
        with), `tokenize` (ids; with `return_dict` also `attention_mask`, with
        `return_assistant_tokens_mask` also `assistant_masks`). Others are variables that the
        template reads. Raises TokenizerError `no_chat_template`, `template`, `validation` or
        `unknown_argument`.
        """
        ...


def well_formed(text: str) -> str:
    """`text` with surrogate pairs joined and lone surrogates as U+FFFD, as tiktoken takes it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
