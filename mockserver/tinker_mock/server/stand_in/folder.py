"""A stand-in as the files that `AutoTokenizer.from_pretrained` and `tokenizers` read."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tinker_mock.server.cache_folder import cache_folder, digest_of
from tinker_mock.server.stand_in.templates import chat_template
from tinker_mock.server.stand_in.tokenizer import PATTERN
from tinker_mock.server.stand_in.vocabulary import (
    NamedModel,
    Vocabulary,
    byte_alphabet,
    vocabulary_of,
)

MARK = "stand-in.txt"
"""A file of this name tells a stand-in from a model's own tokenizer."""

HERE = Path(__file__).parent


def recipe() -> str:
    """What stand-ins are made by; it changes with their code and data."""
    return digest_of(*sorted(file for file in HERE.iterdir() if file.is_file()))


def stand_in_folder(model: NamedModel) -> Path:
    """The directory with the model's stand-in, written at first use.

    Raises ValueError when the model has too few ids for one, OSError when nothing can be written.
    """
    what = (model.tokenizer_size, model.end_tokens, model.special_tokens, model.thinking)
    key = repr((recipe(), model.family, *what))
    name = model.family or model.name.replace("/", "__")
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    folder = _root() / "tokenizers" / f"{name}-{digest}"
    if not (folder / "tokenizer_config.json").is_file():
        write_folder(folder, model)
    return folder


def write_folder(folder: Path, model: NamedModel) -> None:
    """Write the files, each whole or not at all; the configuration, which makes it valid, last."""
    vocabulary = vocabulary_of(model)
    folder.mkdir(parents=True, exist_ok=True)
    _write(
        folder / MARK, f"tinker-mock's stand-in for the tokenizer of {model.family or model.name}\n"
    )
    _write(folder / "tokenizer.json", json.dumps(tokenizer_json(vocabulary), ensure_ascii=False))
    settings = json.dumps(configuration(model, vocabulary), ensure_ascii=False)
    _write(folder / "tokenizer_config.json", settings)


def tokenizer_json(vocabulary: Vocabulary) -> dict[str, Any]:
    """The tokenizer in the format of the `tokenizers` library."""
    spelling = byte_alphabet()

    def spelt(text: bytes) -> str:
        return "".join([spelling[value] for value in text])

    words = {spelt(text): token for text, token in vocabulary.ids.items()}
    words |= {spelt(text): token for text, token in vocabulary.made_up.items()}
    words |= vocabulary.marks
    added = [
        {
            "id": token,
            "content": text,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": vocabulary.is_control(token),
        }
        for text, token in vocabulary.marks.items()
    ]
    bytes_only = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    split = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated"}
    steps = [{**split, "invert": False}, {**bytes_only, "use_regex": False}]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": None,
        "decoder": {**bytes_only, "use_regex": False},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": words,
            "merges": [[spelt(left), spelt(right)] for left, right in vocabulary.merges],
        },
    }


def configuration(model: NamedModel, vocabulary: Vocabulary) -> dict[str, Any]:
    """`tokenizer_config.json`: the class that SDKs load it with, the tokens with a role."""
    roles = {"bos_token": vocabulary.bos, "eos_token": vocabulary.eos, "pad_token": vocabulary.eos}
    template = chat_template(model.family)
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 10**9,
        **{role: text for role, text in roles.items() if text is not None},
        **({} if template is None else {"chat_template": template}),
    }


def _write(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    os.chmod(file.name, 0o644)  # a client may be another user
    os.replace(file.name, path)


def _root() -> Path:
    """Where stand-ins are kept: beside other things that are made once, or for this run only."""
    kept = cache_folder()
    if kept is not None and _writable(kept):
        return kept
    return _of_this_run()


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


@cache
def _of_this_run() -> Path:
    return Path(tempfile.mkdtemp(prefix="tinker-mock-"))
