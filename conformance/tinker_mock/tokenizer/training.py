"""Make small tokenizers from a text: the fixtures, or a vocabulary of your own.

    python -m tinker_mock.tokenizer.training fixtures/tokenizers

reads corpus.txt in that directory and writes three tokenizers beside it: `kimi_small` (Kimi's
format), `bytelevel_small` (tokenizer.json, byte-level BPE with a ChatML template) and
`fallback_small` (tokenizer.json, words with "▁" and single-byte fallback). The same text gives
the same bytes.
"""

import argparse
import base64
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import regex

from tinker_mock.tokenizer.kimi import NAMED_SLOTS, NOT_SKIPPED, PATTERN

Pair = tuple[bytes, bytes]
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"  # noqa: E501
CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML_TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


class Trained(NamedTuple):
    """Tokens in rank order (the alphabet first) and the pair each merge joined."""

    tokens: list[bytes]
    merges: list[Pair]


def train(pieces: Iterable[Sequence[bytes]], alphabet: Sequence[bytes], size: int) -> Trained:
    """Byte-pair training: join the most frequent pair until there are `size` tokens.

    `pieces` are sequences of alphabet symbols, never joined across. Ties go to the pair that
    sorts first, so the result depends on the text alone.
    """
    words = Counter(map(tuple, pieces))
    trained = Trained(list(alphabet), [])
    while len(trained.tokens) < size:
        pairs: Counter[Pair] = Counter()
        for word, count in words.items():
            for pair in pairwise(word):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        words = Counter({_joined(word, best): count for word, count in words.items()})
        trained.merges.append(best)
        if (token := b"".join(best)) not in trained.tokens:
            trained.tokens.append(token)
    return trained


def _joined(word: tuple[bytes, ...], pair: Pair) -> tuple[bytes, ...]:
    joined: list[bytes] = []
    for symbol in word:
        if joined and (joined[-1], symbol) == pair:
            joined[-1] += symbol
        else:
            joined.append(symbol)
    return tuple(joined)


def _byte_pieces(text: str, pattern: str) -> list[list[bytes]]:
    found = regex.compile(pattern, flags=regex.V1).findall(text)
    return [[bytes([value]) for value in piece.encode()] for piece in found]


SINGLE_BYTES = [bytes([value]) for value in range(256)]


def kimi_files(text: str, size: int) -> dict[str, str]:
    """tiktoken.model and tokenizer_config.json, with K2-Thinking's named special tokens."""
    tokens = train(_byte_pieces(text, PATTERN), SINGLE_BYTES, size).tokens
    ranks = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    named = sorted((len(tokens) + slot, name) for name, slot in NAMED_SLOTS["k2_thinking"].items())
    configuration = {
        "tokenizer_class": "TikTokenTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", None]},
        "bos_token": "[BOS]",
        "eos_token": "[EOS]",
        "added_tokens_decoder": {
            str(token_id): {
                "content": name,
                "special": name not in NOT_SKIPPED,
            }
            for token_id, name in named
        },
    }
    return {"tiktoken.model": "".join(ranks), "tokenizer_config.json": _json(configuration)}


def byte_level_files(text: str, size: int) -> dict[str, str]:
    """A byte-level tokenizer.json with ChatML's special tokens and template."""
    from tinker_mock.tokenizer.huggingface import BYTE_OF

    character_of = {value: character for character, value in BYTE_OF.items()}

    def spelled(token: bytes) -> str:
        return "".join(character_of[value] for value in token)

    trained = train(_byte_pieces(text, WORDS), SINGLE_BYTES, size)
    split = {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    byte_level |= {"use_regex": False}
    tokenizer = _tokenizer_json(
        {spelled(token): rank for rank, token in enumerate(trained.tokens)},
        [[spelled(left), spelled(right)] for left, right in trained.merges],
        {text: len(trained.tokens) + at for at, text in enumerate(CHATML)},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [split, byte_level]},
        decoder=byte_level,
    )
    configuration = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    return {
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": _json(configuration),
        "chat_template.jinja": CHATML_TEMPLATE,
    }


def fallback_files(text: str, size: int) -> dict[str, str]:
    """A tokenizer.json whose spaces are "▁", whose unknown characters are single bytes, and
    whose decoder strips the first space."""
    ascii_text = regex.sub(r"[^\x20-\x7e\n]", "", text)
    words = [f"▁{word}" for word in ascii_text.split()]
    pieces = [[character.encode() for character in word] for word in words]
    letters = sorted({symbol for piece in pieces for symbol in piece})
    trained = train(pieces, letters, size)
    specials = {"<unk>": 0, "<s>": 1, "</s>": 2}
    fallback = {f"<0x{value:02X}>": 3 + value for value in range(256)}
    vocabulary = {
        token.decode(): 259 + at for at, token in enumerate(dict.fromkeys(trained.tokens))
    }
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    space = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    decoders = [space, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]
    mark = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    tokenizer = _tokenizer_json(
        {**specials, **fallback, **vocabulary},
        [[left.decode(), right.decode()] for left, right in trained.merges],
        specials,
        normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, mark]},
        decoder={"type": "Sequence", "decoders": decoders},
        byte_fallback=True,
        unk_token="<unk>",
    )
    return {"tokenizer.json": tokenizer}


def _tokenizer_json(
    vocabulary: dict[str, int],
    merges: list[list[str]],
    special: dict[str, int],
    *,
    decoder: dict[str, Any],
    normalizer: dict[str, Any] | None = None,
    pre_tokenizer: dict[str, Any] | None = None,
    byte_fallback: bool = False,
    unk_token: str | None = None,
) -> str:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added = [
        {"id": token_id, "content": text, **flags, "special": True}
        for text, token_id in special.items()
    ]
    model = {
        "type": "BPE",
        "unk_token": unk_token,
        "byte_fallback": byte_fallback,
        "fuse_unk": byte_fallback,
        "ignore_merges": False,
        "vocab": vocabulary,
        "merges": merges,
    }
    return _json(
        {
            "version": "1.0",
            "added_tokens": added,
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": None,
            "decoder": decoder,
            "model": model,
        }
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def fixture_files(text: str) -> dict[str, str]:
    """Every file of the three small tokenizers, by its path."""
    made = {
        "kimi_small": kimi_files(text, 600),
        "bytelevel_small": byte_level_files(text, 600),
        "fallback_small": fallback_files(text, 250),
    }
    return {f"{name}/{file}": made[name][file] for name in made for file in made[name]}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", type=Path, help="has corpus.txt; gets the tokenizers")
    directory: Path = parser.parse_args(argv).directory
    text = (directory / "corpus.txt").read_text("utf-8")
    for name, content in fixture_files(text).items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
