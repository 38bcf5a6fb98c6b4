"""A stand-in as the files that `AutoTokenizer.from_pretrained` and `tokenizers` read."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from tinker_mock.server.cache_folder import cache_folder, digest_of
from tinker_mock.server.stand_in.byte_level_file import byte_level_json
from tinker_mock.server.stand_in.templates import chat_template
from tinker_mock.server.stand_in.tokenizer import PATTERN
from tinker_mock.server.stand_in.vocabulary import NamedModel, Vocabulary, vocabulary_of

MARK = "stand-in.txt"
"""A file of this name tells a stand-in from a model's own tokenizer."""

HERE = Path(__file__).parent


def recipe() -> str:
    """What stand-ins are made by; it changes with their code and data."""
    return digest_of(*sorted(file for file in HERE.iterdir() if file.is_file()))


def identity_of(model: NamedModel) -> str:
    """What tells one stand-in from another: models with the same are read with the same."""
    what = (model.tokenizer_size, model.end_tokens, model.special_tokens, model.thinking)
    return repr((recipe(), model.family, *what))


def stand_in_folder(model: NamedModel) -> Path:
    """The directory with the model's stand-in, written at first use.

    Raises ValueError when the model has too few ids for one, OSError when nothing can be written.
    """
    name = model.family or model.name.replace("/", "__")
    digest = hashlib.sha256(identity_of(model).encode()).hexdigest()[:12]
    folder = _root() / "tokenizers" / f"{name}-{digest}"
    if not (folder / "tokenizer_config.json").is_file():
        write_folder(folder, model)
    return folder


def write_folder(folder: Path, model: NamedModel) -> None:
    """Write the files, each whole or not at all; the configuration, which makes it valid, last."""
    vocabulary = vocabulary_of(model)
    folder.mkdir(parents=True, exist_ok=True)
    write(
        folder / MARK, f"tinker-mock's stand-in for the tokenizer of {model.family or model.name}\n"
    )
    write(folder / "tokenizer.json", json.dumps(tokenizer_json(vocabulary), ensure_ascii=False))
    settings = json.dumps(configuration(model, vocabulary.bos, vocabulary.eos), ensure_ascii=False)
    write(folder / "tokenizer_config.json", settings)


def tokenizer_json(vocabulary: Vocabulary) -> dict[str, Any]:
    """The tokenizer in the format of the `tokenizers` library."""
    return byte_level_json(
        {**vocabulary.ids, **vocabulary.made_up},
        vocabulary.marks,
        vocabulary.merges,
        [PATTERN],
        control=[token for token in vocabulary.mark_of if vocabulary.is_control(token)],
    )


def configuration(model: NamedModel, bos: str | None, eos: str | None) -> dict[str, Any]:
    """`tokenizer_config.json`: the class that SDKs load it with, the tokens with a role."""
    roles = {"bos_token": bos, "eos_token": eos, "pad_token": eos}
    template = chat_template(model.family)
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 10**9,
        **{role: text for role, text in roles.items() if text is not None},
        **({} if template is None else {"chat_template": template}),
    }


def write(path: Path, text: str) -> None:
    """The file, whole or not at all."""
    import tempfile

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
    import tempfile

    return Path(tempfile.mkdtemp(prefix="tinker-mock-"))
