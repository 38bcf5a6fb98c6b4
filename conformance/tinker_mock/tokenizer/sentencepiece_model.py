"""SentencePiece models (`tokenizer.model`), by the `sentencepiece` library."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import regex

from tinker_mock.tokenizer.encodings import Encoding
from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.extras import imported
from tinker_mock.tokenizer.huggingface import special_tokens_of
from tinker_mock.tokenizer.protocols import well_formed
from tinker_mock.tokenizer.rendering import Templated
from tinker_mock.tokenizer.repository import Repository
from tinker_mock.tokenizer.templates import ChatTemplate

UNUSED = "<unk>"


def read_processor(model: bytes, origin: str) -> Any:
    """The library's own object. Raises TokenizerError `invalid_sentencepiece_model`."""
    sentencepiece = imported("sentencepiece", "SentencePiece models")
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    except RuntimeError as error:
        raise TokenizerError(
            "invalid_sentencepiece_model", f"{origin} is no SentencePiece model.", detail=origin
        ) from error


class SentencePieceTokenizer(Templated):
    """A SentencePiece model behind the facade: the ids of a text are the library's.

    Control symbols and the tokens that the files beside the model add are found in a text first;
    what stands between them is encoded on its own. `add_special_tokens` follows `add_bos_token`
    and `add_eos_token` of the configuration; Llama's classes add BOS unless told otherwise.
    """

    byte_level = False

    def __init__(
        self,
        processor: Any,
        *,
        name: str = "sentencepiece",
        repository: Repository | None = None,
        chat_template: ChatTemplate | None = None,
        default_allow_special: bool = True,
        adds: tuple[bool, bool] | None = None,
    ) -> None:
        self.name = name
        self.chat_template = chat_template
        self.default_allow_special = default_allow_special
        self._processor = processor
        self._size: int = processor.get_piece_size()
        repository = repository or Repository()
        self._named = {
            processor.id_to_piece(i): i for i in range(self._size) if processor.is_control(i)
        }
        self._special_ids = set(self._named.values())
        if processor.unk_id() >= 0:
            self._special_ids.add(processor.unk_id())
        self._add(repository)
        self._text_of = {i: text for text, i in self._named.items()}
        ids = {self._spelled(i): i for i in sorted(self._special_ids)}
        self.special_tokens = special_tokens_of(self._roles(repository), ids)
        longest_first = sorted(self._named, key=lambda text: (-len(text), text))
        self._finder = regex.compile("|".join(map(regex.escape, longest_first)) or r"(?!)")
        configuration = repository.configuration
        of_llama = "Llama" in str(configuration.get("tokenizer_class"))
        self._adds = adds or (
            bool(configuration.get("add_bos_token", of_llama)),
            bool(configuration.get("add_eos_token", False)),
        )
        self._joins = configuration.get("legacy") is False

    @classmethod
    def read(cls, path: Path, **options: Any) -> "SentencePieceTokenizer":
        return cls(read_processor(path.read_bytes(), str(path)), **options)

    def _add(self, repository: Repository) -> None:
        """Tokens of the files beside the model, after its own pieces if they are not among them."""
        following = self._size
        for token in (*repository.listed, *repository.extra):
            if (known := self.token_to_id(token.content)) is None:
                known, following = following, following + 1
            self._named[token.content] = known
            if token.special:
                self._special_ids.add(known)

    def _roles(self, repository: Repository) -> dict[str, str]:
        told = {
            f"{role}_token": self._processor.id_to_piece(i)
            for role in ("bos", "eos", "pad", "unk")
            if (i := getattr(self._processor, f"{role}_id")()) >= 0
        }
        return {**told, **repository.roles}

    def _spelled(self, token_id: int) -> str:
        named: str | None = self._text_of.get(token_id)
        return named if named is not None else str(self._processor.id_to_piece(token_id))

    @property
    def vocab_size(self) -> int:
        return max([self._size - 1, *self._text_of]) + 1

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[int]:
        ids: list[int] = []
        for start, part, named in self._parts(well_formed(text), allow_special_tokens):
            ids += [named] if named is not None else self._part_ids(part, first=start == 0)
        if not add_special_tokens:
            return ids
        bos, eos = self._processor.bos_id(), self._processor.eos_id()
        before = [bos] if self._adds[0] and bos >= 0 else []
        return [*before, *ids, *([eos] if self._adds[1] and eos >= 0 else [])]

    def _part_ids(self, part: str, *, first: bool) -> list[int]:
        """Behind a special token newer Llamas put no space before a text, as transformers has it
        with `legacy: false`: the text is encoded behind another, whose tokens are cut off."""
        if first or not self._joins:
            return list(self._processor.encode(part))
        before = len(self._processor.encode(UNUSED))
        return list(self._processor.encode(UNUSED + part))[before:]

    def _parts(
        self, text: str, allow_special_tokens: bool | None
    ) -> Iterator[tuple[int, str, int | None]]:
        """(start, text, id of a special token or None), in order; no empty ones."""
        if allow_special_tokens is None:
            allow_special_tokens = self.default_allow_special
        end = 0
        for match in self._finder.finditer(text) if allow_special_tokens else ():
            if match.start() > end:
                yield end, text[end : match.start()], None
            yield match.start(), match.group(), self._named[match.group()]
            end = match.end()
        if end < len(text):
            yield end, text[end:], None

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[list[int]]:
        return [
            self.encode(
                text,
                add_special_tokens=add_special_tokens,
                allow_special_tokens=allow_special_tokens,
            )
            for text in texts
        ]

    def encoding(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> Encoding:
        text = well_formed(text)
        ids = self.encode(
            text, add_special_tokens=add_special_tokens, allow_special_tokens=allow_special_tokens
        )
        spans: list[tuple[int, int]] = []
        for start, part, named in self._parts(text, allow_special_tokens):
            if named is not None:
                spans.append((start, start + len(part)))
                continue
            pieces = self._places(part)
            count = len(self._part_ids(part, first=start == 0))
            spans += [(start + a, start + b) for a, b in pieces[len(pieces) - count :]]
        before = len(ids) - len(spans) if ids and ids[0] == self._processor.bos_id() else 0
        spans = [(0, 0)] * min(before, 1) + spans
        spans += [(0, 0)] * (len(ids) - len(spans))
        return Encoding(tuple(ids), tuple(map(self._spelled, ids)), tuple(spans))

    def _places(self, part: str) -> list[tuple[int, int]]:
        """Where the pieces of a text stand. The bytes of a character all stand where it does."""
        processor = self._processor
        encode = getattr(processor, "encode_as_proto", None) or processor.encode_as_immutable_proto
        places, at = [], 0
        for piece in encode(part).pieces:
            end = at + len(piece.surface)
            places.append((at, end + 1 if processor.is_byte(piece.id) and end == at else end))
            at = end
        return places

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Ids that are no tokens decode to nothing."""
        texts: list[str] = []
        run: list[int] = []
        for token_id in ids:
            _check_id(token_id)
            if skip_special_tokens and token_id in self._special_ids:
                continue
            if token_id in self._text_of:
                texts += [self._processor.decode(run), self._text_of[token_id]]
                run = []
            elif token_id < self._size:
                run.append(token_id)
        return "".join([*texts, self._processor.decode(run)])

    def token_bytes(self, token_id: int) -> bytes | None:
        return None

    def token_to_id(self, token: str) -> int | None:
        if token in self._named:
            return self._named[token]
        found: int = self._processor.piece_to_id(token)
        return found if self._processor.id_to_piece(found) == token else None

    def id_to_token(self, token_id: int) -> str | None:
        known = token_id in self._text_of or 0 <= token_id < self._size
        return self._spelled(token_id) if known else None

    def is_special(self, token_id: int) -> bool:
        return token_id in self._special_ids


def _check_id(token_id: Any) -> None:
    if not isinstance(token_id, int) or token_id < 0:
        raise TokenizerError(
            "invalid_token_id",
            f"A token id must be an integer from 0 on: {token_id!r}.",
            detail=token_id,
        )
