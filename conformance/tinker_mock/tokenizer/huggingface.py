"""Hugging Face `tokenizer.json` files, by the `tokenizers` library."""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from tinker_mock.tokenizer.byte_fallback import ByteFallback
from tinker_mock.tokenizer.encodings import Encoding
from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.protocols import SpecialTokens, well_formed
from tinker_mock.tokenizer.rendering import Templated
from tinker_mock.tokenizer.repository import Repository, Token
from tinker_mock.tokenizer.templates import ChatTemplate


def _byte_alphabet() -> dict[str, int]:
    """Byte-level vocabularies spell each byte as one printable character: that character to the
    byte. Printable Latin-1 stands for itself, the others take the characters from U+0100 on."""
    itself = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in itself]
    moved = {chr(256 + at): value for at, value in enumerate(others)}
    return {**{chr(value): value for value in itself}, **moved}


BYTE_OF = _byte_alphabet()


class HuggingFaceTokenizer(Templated):
    """A `tokenizers` tokenizer behind the facade.

    Ids that are in no vocabulary decode to nothing, as the library has it (models pad their
    vocabularies). With `allow_special_tokens=False` special tokens in a text are encoded as text;
    added tokens that are not special keep their ids, again as the library has it.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        name: str = "huggingface",
        repository: Repository | None = None,
        chat_template: ChatTemplate | None = None,
        default_allow_special: bool = True,
    ) -> None:
        self.name = name
        self.chat_template = chat_template
        self.default_allow_special = default_allow_special
        self._backend = backend
        repository = repository or Repository()
        add_tokens(backend, repository)
        added = backend.get_added_tokens_decoder()
        self._special_ids = frozenset(i for i, token in added.items() if token.special)
        self.special_tokens = special_tokens_of(
            repository.roles_in(backend.token_to_id),
            {added[i].content: i for i in sorted(self._special_ids)},
        )
        decoder = backend.decoder
        state = json.loads(decoder.__getstate__()) if decoder is not None else {}
        self.byte_level = bool(state.get("type") == "ByteLevel")
        self.byte_fallback = ByteFallback.of(state, backend.id_to_token)
        self._bytes_of: dict[int, bytes | None] = {}

    @classmethod
    def read(cls, path: Path, **options: Any) -> "HuggingFaceTokenizer":
        """Raises TokenizerError `invalid_tokenizer_json` for a file the library refuses."""
        try:
            return cls(Backend.from_file(str(path)), **options)
        except Exception as error:  # the library raises bare Exceptions
            raise TokenizerError(
                "invalid_tokenizer_json",
                f"Failed to load tokenizer: {path}: {error}",
                fix="Expected a Hugging Face tokenizer.json.",
            ) from error

    @cached_property
    def _literal(self) -> Backend:
        """The same tokenizer with specials as text; a copy, since the switch is shared state."""
        literal = Backend.from_str(self._backend.to_str())
        literal.encode_special_tokens = True
        return literal

    def _encoder(self, allow_special_tokens: bool | None) -> Backend:
        if allow_special_tokens is None:
            allow_special_tokens = self.default_allow_special
        return self._backend if allow_special_tokens else self._literal

    @cached_property
    def vocab_size(self) -> int:
        return max(self._backend.get_vocab(with_added_tokens=True).values()) + 1

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[int]:
        encoder = self._encoder(allow_special_tokens)
        encoding = encoder.encode(well_formed(text), add_special_tokens=add_special_tokens)
        return list(encoding.ids)

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[list[int]]:
        encoder = self._encoder(allow_special_tokens)
        encodings = encoder.encode_batch_fast(
            list(map(well_formed, texts)), add_special_tokens=add_special_tokens
        )
        return [list(encoding.ids) for encoding in encodings]

    def encoding(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> Encoding:
        encoder = self._encoder(allow_special_tokens)
        found = encoder.encode(well_formed(text), add_special_tokens=add_special_tokens)
        return Encoding(tuple(found.ids), tuple(found.tokens), tuple(found.offsets))

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        try:
            text: str = self._backend.decode(ids, skip_special_tokens=skip_special_tokens)
        except (OverflowError, TypeError) as error:
            bad = next((i for i in ids if not isinstance(i, int) or i < 0), None)
            raise TokenizerError(
                "invalid_token_id", f"A token id must be an integer from 0 on: {bad!r}.", detail=bad
            ) from error
        return text

    def token_bytes(self, token_id: int) -> bytes | None:
        if not self.byte_level:
            return None
        try:
            return self._bytes_of[token_id]
        except KeyError:
            token = self._backend.id_to_token(token_id)
            found = self._bytes_of[token_id] = b"" if token is None else _spelled_bytes(token)
            return found

    def token_to_id(self, token: str) -> int | None:
        found: int | None = self._backend.token_to_id(token)
        return found

    def id_to_token(self, token_id: int) -> str | None:
        found: str | None = self._backend.id_to_token(token_id)
        return found

    def is_special(self, token_id: int) -> bool:
        return token_id in self._special_ids


def _spelled_bytes(token: str) -> bytes:
    """What the byte-level decoder makes of a token: bytes if all characters spell bytes, else
    the token's own text."""
    try:
        return bytes([BYTE_OF[character] for character in token])
    except KeyError:
        return token.encode()


def add_tokens(backend: Backend, repository: Repository) -> None:
    """Add what the repository's files add, under the ids and with the flags that transformers
    gives it."""
    present = (token.content for token in backend.get_added_tokens_decoder().values())
    listed = [_added(token) for token in repository.listed]
    there = {*present, *(token.content for token in listed)}
    fresh: list[AddedToken] = []
    ways: list[AddedToken | str] = []
    for token in (*repository.named.values(), *repository.extra):
        # Of several ways in which a token is written the last one counts, each way once.
        added = _added(token)
        way = token.content if token.flags is None else added
        if token.content not in there and way not in ways:
            ways.append(way)
            fresh.append(added)
    roles = {*repository.roles.values()}
    for added in (adding := [*listed, *fresh]):
        added.special = added.special or added.content in roles
    backend.add_tokens(adding)


def _added(token: Token) -> AddedToken:
    flags = {"special": True, "normalized": False} if token.flags is None else token.flags
    return AddedToken(token.content, **flags)


def special_tokens_of(roles: Mapping[str, str], special: Mapping[str, int]) -> SpecialTokens:
    """The roles (`bos_token` to its text) and the special tokens' ids."""
    short = {f"{role}_token": role for role in ("bos", "eos", "pad", "unk")}
    named = {short[role]: text for role, text in roles.items() if role in short}
    others = {role: text for role, text in roles.items() if role not in short}
    return SpecialTokens(**named, ids=dict(special), others=others)
