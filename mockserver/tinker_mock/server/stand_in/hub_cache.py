"""Tokenizers as a cache of the Hugging Face hub, where they are found by the model's name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from tinker_mock.server.stand_in.folder import stand_in_folder
from tinker_mock.server.stand_in.vocabulary import NamedModel

INSTALLED = "installed.txt"
"""A file of this name tells what was installed from what was downloaded."""
MAIN = "0" * 39 + "1"
REVISIONS = {
    "moonshotai/Kimi-K2-Thinking": (
        "612681931a8c906ddb349f8ad0f582cb552189cd",
        "a51ccc050d73dab088bf7b0e2dd9b30ae85a4e55",
    ),
    "moonshotai/Kimi-K2.5": (
        "4d01dfe0332d63057c186e0b262165819efb6611",
        "2426b45b6af0da48d0dcce71bbce6225e5c73adc",
    ),
    "moonshotai/Kimi-K2.6": ("b5aabbfb20227ed42becbf5541dbffd213942c58",),
}
"""The revisions that SDK 0.38.0 (`sampling_client.py:925`) and tinker-cookbook 0.6.1
(`tokenizer_utils.py`, `_KIMI_TOKENIZER_REVISIONS`) ask for; everything else asks for main."""

KIMI_CODE = '''"""What loads this model's tokenizer by name loads the stand-in beside it."""

from transformers import PreTrainedTokenizerFast


class TikTokenTokenizer(PreTrainedTokenizerFast):
    """A stand-in of tinker-mock."""
'''


def install(
    home: Path,
    models: Iterable[NamedModel],
    source: Callable[[NamedModel], Path] = stand_in_folder,
) -> int:
    """Write what each model's `source` holds below `home` (an HF_HOME); returns how many names
    were written.

    What was downloaded there is left alone. Raises OSError.
    """
    names: dict[str, NamedModel] = {}
    for model in models:
        names.setdefault(model.name.partition(":")[0], model)
        if not Path(model.tokenizer_id).exists():
            names.setdefault(model.tokenizer_id, model)
    written = 0
    for name, model in names.items():
        try:
            written += _install(home, name, source(model))
        except ValueError:  # too few ids for a stand-in
            continue
    return written


def _install(home: Path, name: str, source: Path) -> bool:
    repository = home / "hub" / f"models--{name.replace('/', '--')}"
    snapshots = repository / "snapshots"
    if snapshots.is_dir() and not all((one / INSTALLED).is_file() for one in snapshots.iterdir()):
        return False
    for revision in (MAIN, *REVISIONS.get(name, ())):
        _copy(source, snapshots / revision, kimi=name.startswith("moonshotai/Kimi-K2"))
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / "main").write_text(MAIN)
    return True


def _copy(source: Path, target: Path, *, kimi: bool) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        copy = target / file.name
        copy.unlink(missing_ok=True)
        try:
            os.link(file, copy)
        except OSError:
            shutil.copyfile(file, copy)
    (target / INSTALLED).write_text("written by tinker-mock\n")
    # AutoTokenizer asks for a configuration; by its version it knows that no repair is needed.
    (target / "config.json").write_text('{"transformers_version": "5.0.0"}')
    if kimi:
        (target / "tokenization_kimi.py").write_text(KIMI_CODE)
