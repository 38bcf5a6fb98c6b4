"""A byte-level tokenizer in the format of the `tokenizers` library: `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tinker_mock.server.stand_in.vocabulary import byte_alphabet

BYTES_ONLY = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}


def byte_level_json(
    words: Mapping[bytes, int],
    marks: Mapping[str, int],
    merges: Iterable[tuple[bytes, bytes]],
    splits: Sequence[str],
    *,
    control: Iterable[int],
    whole_words: bool = False,
    normalizer: str | None = None,
) -> dict[str, Any]:
    """The file's content. `splits` cut a text one after the other; `control` are the marks that
    are left out of text; `whole_words`: a piece that is a word is not merged."""
    spelling, hidden = byte_alphabet(), frozenset(control)

    def spelt(text: bytes) -> str:
        return "".join([spelling[value] for value in text])

    cuts = [
        {"type": "Split", "pattern": {"Regex": split}, "behavior": "Isolated", "invert": False}
        for split in splits
    ]
    bytes_only = {**BYTES_ONLY, "use_regex": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": token,
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": token in hidden,
            }
            for text, token in marks.items()
        ],
        "normalizer": {"type": normalizer} if normalizer else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*cuts, bytes_only]},
        "post_processor": None,
        "decoder": bytes_only,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": whole_words,
            "vocab": {spelt(text): token for text, token in words.items()} | dict(marks),
            "merges": [[spelt(left), spelt(right)] for left, right in merges],
        },
    }
