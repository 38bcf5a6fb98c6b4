"""The ids of a stand-in: marks and header words where the model has them, merges elsewhere.

Every id of the model has a text, so whatever is sampled can be read: ids that neither the marks nor
the merges use stand for made-up words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

HERE = Path(__file__).parent
Merge = tuple[bytes, bytes]
SYLLABLES = tuple(c + v for c in "bdfghjklmnprstvwyz" for v in "aeiou")


class NamedModel(Protocol):
    """What is asked of a catalogue's model."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def tokenizer_id(self) -> str: ...
    @property
    def tokenizer_size(self) -> int: ...
    @property
    def end_tokens(self) -> tuple[int, ...]: ...
    @property
    def special_tokens(self) -> tuple[int, ...]: ...
    @property
    def thinking(self) -> tuple[int, ...]: ...


class Vocabulary:
    """`marks` and `words` say which text has which id; `apart` are pieces never merged further.

    Raises ValueError when the ids do not suffice for one a byte.
    """

    def __init__(
        self,
        size: int,
        marks: Mapping[str, int],
        words: Mapping[str, int],
        apart: tuple[str, ...] = (),
        bos: str | None = None,
        eos: str | None = None,
    ) -> None:
        self.size = size
        self.marks = dict(marks)
        self.bos, self.eos = bos, eos
        self.mark_of = {token: text for text, token in self.marks.items()}
        pinned = {word.encode(): token for word, token in words.items() if token < size}
        self.merges = _with_words(_shipped_merges(), pinned, [word.encode() for word in apart])
        free = self._free(frozenset(pinned.values()))
        self.ids: dict[bytes, int] = {}
        for value in range(256):
            text = bytes([value])
            token = pinned.get(text, next(free, None)) if text not in pinned else pinned[text]
            if token is None:
                raise ValueError(f"{size} ids are too few for one a byte")
            self.ids[text] = token
        kept: list[Merge] = []
        for left, right in self.merges:
            text = left + right
            if left not in self.ids or right not in self.ids:
                continue
            if text not in self.ids:
                token = pinned[text] if text in pinned else next(free, None)
                if token is None:
                    continue
                self.ids[text] = token
            kept.append((left, right))
        self.merges = kept
        self.ranks = {merge: rank for rank, merge in enumerate(kept)}
        self.text_of = {token: text for text, token in self.ids.items()}

    def _free(self, pinned: frozenset[int]) -> Iterator[int]:
        return (t for t in range(self.size) if t not in self.mark_of and t not in pinned)

    def token_bytes(self, token: int) -> bytes:
        """The text of any id below `size`."""
        if token in self.mark_of:
            return self.mark_of[token].encode()
        return self.text_of.get(token) or self._made_up(token)

    def is_control(self, token: int) -> bool:
        """Whether a mark is left out of text; `<think>` and `<tool_call>` are not, as elsewhere."""
        mark = self.mark_of.get(token)
        return mark is not None and is_control(mark)

    @cached_property
    def made_up(self) -> dict[bytes, int]:
        """The words of the ids that nothing else uses."""
        used = self.mark_of.keys() | self.text_of.keys()
        return {self._made_up(token): token for token in range(self.size) if token not in used}

    def _made_up(self, token: int) -> bytes:
        number, word = token + len(SYLLABLES), ""
        while number:
            number, digit = divmod(number, len(SYLLABLES))
            word = SYLLABLES[digit] + word
        text = f" {word}".encode()
        # English has some of these words as well; a text must stand for one id only.
        return text + b"x" if text in self.ids else text


def is_control(mark: str) -> bool:
    """Whether a mark is told from text by how it is written."""
    return mark.startswith(("<|", "<｜", "[", "<s>", "</s>", "<unk>"))


def vocabulary_of(model: NamedModel) -> Vocabulary:
    """The stand-in's ids for a model. Raises ValueError when it has too few."""
    facts = _facts_of(model.family)
    size = model.tokenizer_size
    named = {int(token): text for token, text in facts.get("marks", {}).items() if token < size}
    first, last = model.special_tokens or (0, -1)
    for token in {*range(first, min(last + 1, size)), *model.end_tokens} - named.keys():
        named[token] = f"<|special_{token}|>"
    for token, text in zip(model.thinking, ("<think>", "</think>"), strict=False):
        named.setdefault(token, text)
    eos = named.get(model.end_tokens[0]) if model.end_tokens else None
    marks = {text: token for token, text in sorted(named.items())}
    return Vocabulary(
        size,
        marks,
        facts.get("words", {}),
        tuple(facts.get("apart", ())),
        facts.get("bos"),
        eos,
    )


def _facts_of(family: str) -> dict[str, Any]:
    """The family's facts, or those of the family it is a kind of (kimi_k2_thinking: kimi_k2)."""
    parts = family.split("_")
    for end in range(len(parts), 0, -1):
        known = _facts().get("_".join(parts[:end]))
        if known is not None:
            return dict(known)
    return {}


@cache
def _facts() -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = (HERE / "families.yaml").read_text(encoding="utf-8")
    return dict(yaml.load(text, Loader=loader))


@cache
def byte_alphabet() -> tuple[str, ...]:
    """[256] the printable character that spells each byte in byte-level vocabularies."""
    itself = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(256, 512))
    return tuple(chr(value) if value in itself else chr(next(others)) for value in range(256))


@cache
def _shipped_merges() -> tuple[Merge, ...]:
    """Learned from this project's own documentation, code and sample texts; best first."""
    byte_of = {character: value for value, character in enumerate(byte_alphabet())}

    def unspelt(text: str) -> bytes:
        return bytes(byte_of[character] for character in text)

    lines = (HERE / "merges.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" ") for line in lines)
    return tuple((unspelt(left), unspelt(right)) for left, right in pairs)


def _with_words(
    merges: tuple[Merge, ...], words: Mapping[bytes, int], apart: list[bytes]
) -> list[Merge]:
    """The merges, such that each word is one token. Those `apart` are built before all others."""
    first: list[Merge] = []
    for word in apart:
        first += [(word[:end], word[end : end + 1]) for end in range(1, len(word))]
    found = [*dict.fromkeys([*first, *merges])]
    for word in words:
        parts = merged(word, {merge: rank for rank, merge in enumerate(found)})
        while len(parts) > 1:
            found.append((parts[0], parts[1]))
            parts[:2] = [parts[0] + parts[1]]
    return found


def merged(piece: bytes, ranks: Mapping[Merge, int]) -> list[bytes]:
    """A piece of text after all merges: again and again the best-ranked pair, leftmost first."""
    parts = [piece[at : at + 1] for at in range(len(piece))]
    while len(parts) > 1:
        pairs = ((ranks.get((parts[at], parts[at + 1])), at) for at in range(len(parts) - 1))
        ranked = [(rank, at) for rank, at in pairs if rank is not None]
        if not ranked:
            break
        _, at = min(ranked)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts
