"""A model's own tokenizer as files, as if it had been downloaded."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tinker_mock.contracts.locations import FIXTURES
from tinker_mock.server.cache_folder import cache_folder
from tinker_mock.server.own_tokenizers.kinds import Kind, kind_of
from tinker_mock.server.stand_in import NamedModel
from tinker_mock.server.stand_in.byte_level_file import byte_level_json
from tinker_mock.server.stand_in.folder import configuration, write
from tinker_mock.server.stand_in.vocabulary import is_control

TAKEN = "from-tml-renderers.txt"
"""A file of this name tells what was taken from what was downloaded."""
SCRIPT = Path(__file__).with_name("read_out.py")
ODD = (
    "漢字かなカナ 한글 中文，标点。",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f389 e\u0301 ñ Å अआइई العربية",
    "don't I'LL we've it's HTTPServer camelCase ſ\u212a",
    "  \n\n\t x\r\n 12345678901 3.14 f(x) == {'a': [1]} // <b>",
)


class NotTaken(Exception):
    """Why a tokenizer cannot be taken, for people."""


def kept_folder() -> Path | None:
    """Where those that were taken are kept."""
    kept = cache_folder()
    return kept / "own-tokenizers" if kept is not None else None


def own_folder(model: NamedModel) -> Path | None:
    """The directory with the model's own tokenizer, if it was taken."""
    root, kind = kept_folder(), kind_of(model)
    if root is None or kind is None or not (root / kind.name / TAKEN).is_file():
        return None
    return root / kind.name


def take(model: NamedModel, kind: Kind, python: str = sys.executable) -> Path:
    """Write the model's own tokenizer, as tml-renderers has it, to where the server finds it.

    `python` is an interpreter with tml-renderers. What is written is read again and compared.
    Raises NotTaken, and OSError when nothing can be written.
    """
    root = kept_folder()
    if root is None:
        raise NotTaken("nothing is kept (TINKER_MOCK_CACHE=off)")
    told = _read_out(kind, python)
    content = json.dumps(tokenizer_json(kind, told), ensure_ascii=False)
    _compare(kind, content, told["samples"], model.tokenizer_size)
    folder = root / kind.name
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "tokenizer.json", content)
    settings = configuration(model, told["bos"], told["eos"])
    write(folder / "tokenizer_config.json", json.dumps(settings, ensure_ascii=False))
    write(folder / TAKEN, f"the tokenizer of {model.name}, as tml-renderers has it\n")
    return folder


def _read_out(kind: Kind, python: str) -> dict[str, Any]:
    text = (FIXTURES / "tokenizers" / "corpus.txt").read_text("utf-8")
    samples = [*ODD, *(text[at : at + 200] for at in range(0, min(len(text), 20_000), 200))]
    command = [python, str(SCRIPT), f"{kind.name}Tokenizer"]
    try:
        done = subprocess.run(
            command, input=json.dumps(samples), capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise NotTaken(f"{python}: {error.strerror}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        if "No module named 'tml_renderers'" in last:
            raise NotTaken(
                f"{python} has no tml-renderers: pip install 'tinker-mock[renderers]' torch, or "
                "name another interpreter with --python"
            )
        raise NotTaken(f"{kind.name}: {last}")
    return dict(json.loads(done.stdout))


def tokenizer_json(kind: Kind, told: Mapping[str, Any]) -> dict[str, Any]:
    """The tokenizer in the format of the `tokenizers` library."""
    words: dict[bytes, int] = {}
    for token, text in enumerate(map(base64.b64decode, told["words"])):
        if text:
            words.setdefault(text, token)
    marks: dict[str, int] = dict(sorted(told["marks"].items(), key=lambda mark: mark[1]))
    return byte_level_json(
        words,
        marks,
        merges_of(words),
        kind.splits,
        control=[token for text, token in marks.items() if _is_left_out(text)],
        whole_words=True,
        normalizer=kind.normalizer,
    )


def _is_left_out(mark: str) -> bool:
    """Marks of tool calls are part of an answer's text in the models' own files."""
    return is_control(mark) and "tool_call" not in mark and "tool▁" not in mark


def merges_of(ranks: Mapping[bytes, int]) -> Iterable[tuple[bytes, bytes]]:
    """The merges of a vocabulary whose ids are their ranks: what each word is made of."""
    for word, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [word[at : at + 1] for at in range(len(word))]
        while len(parts) > 2:
            joined = [ranks.get(parts[at] + parts[at + 1], rank) for at in range(len(parts) - 1)]
            best = min(joined)
            if best >= rank:
                break
            at = joined.index(best)
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        if len(parts) == 2:
            yield parts[0], parts[1]


def _compare(kind: Kind, content: str, samples: list[tuple[str, list[int]]], size: int) -> None:
    try:
        from tokenizers import Tokenizer, normalizers
    except ImportError:
        raise NotTaken("reading it needs pip install 'tinker-mock[text]'") from None
    found = Tokenizer.from_str(content)
    if found.get_vocab_size() != size:
        raise NotTaken(f"{kind.name} has {found.get_vocab_size()} ids, and the model {size}")
    normal = normalizers.NFC() if kind.normalizer else None
    for text, ids in samples:
        # Theirs takes the text as it is; the model's own files normalise it first.
        if normal is not None and normal.normalize_str(text) != text:
            continue
        if found.encode(text, add_special_tokens=False).ids != ids:
            raise NotTaken(f"{kind.name} cuts {text[:40]!r} otherwise than tml-renderers")
