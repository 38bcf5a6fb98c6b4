"""Files of other formats, and directories of files, against the libraries they are for."""

import random
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.tokenizer.test_formats import SHAPES, converted, processor, trained
from tests.tokenizer.test_repositories import USER, directory, files, transformers_tokenizer
from tests.tokenizer.texts import random_text, without_surrogates
from tinker_mock.tokenizer import DecodeStream, LoadedTokenizer, load_tokenizer

PIECES = ("<s>", "</s>", "<tool>", "▁", "  ", "\u0000", "<0x41>", "ﬁ", "e\u0301")


@cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-formats-"))


@cache
def model(shape: str) -> tuple[LoadedTokenizer, LoadedTokenizer, Any]:
    """A SentencePiece model, the same as GGUF, and its library."""
    place = folder() / shape
    place.mkdir()
    path = trained(place / "tokenizer.model", shape)
    return load_tokenizer(path), load_tokenizer(converted(path, place / "m.gguf")), processor(path)


def text_of(rng: random.Random) -> str:
    """A text whose marks are text, as the library reads it."""
    parts = [
        rng.choice(PIECES[3:]) if rng.random() < 0.2 else random_text(rng, 12)
        for _ in range(rng.randint(0, 5))
    ]
    return without_surrogates("".join(parts))


def sentencepiece_models(rng: random.Random) -> str | None:
    """Ids, texts of texts, streams of any ids."""
    shape = rng.choice(SHAPES)
    ours, _, peer = model(shape)
    text = text_of(rng)
    ids = peer.encode(text)
    if (ours.encode(text), ours.decode(ids)) != (ids, peer.decode(ids)):
        return f"{shape}: {text!r}"
    some = [rng.randrange(peer.get_piece_size()) for _ in range(rng.randint(0, 20))]
    stream = DecodeStream(ours)
    told = "".join(stream.step(i) or "" for i in some) + (stream.flush() or "")
    return None if told == ours.decode(some) else f"{shape}: stream of {some}"


def gguf_files(rng: random.Random) -> str | None:
    """The converted model's ids and texts."""
    shape = rng.choice(SHAPES)
    _, ours, peer = model(shape)
    text = text_of(rng)
    ids = peer.encode(text)
    found = (ours.encode(text), ours.decode(ids))
    return None if found == (ids, peer.decode(ids)) else f"{shape}: {text!r} {found}"


def directories(rng: random.Random) -> str | None:
    """A model's directory with any of the files that tell special tokens, as transformers reads
    it."""
    place = folder() / "directory"
    shutil.rmtree(place, ignore_errors=True)
    told = files(rng)
    directory(place, **told)
    peer, ours = transformers_tokenizer(place), load_tokenizer(place)
    marks = ["<new>", "<tool>", "[X]", "<|im_end|>", "<img>", " ", "a"]
    for _ in range(4):
        text = "".join(rng.choice(marks) for _ in range(rng.randint(0, 6)))
        ids = peer.encode(text, add_special_tokens=False)
        skipped = peer.decode(ids, skip_special_tokens=True)
        if (ours.encode(text), ours.decode(ids, skip_special_tokens=True)) != (ids, skipped):
            return f"{told}: {text!r}"
    prompt = peer.apply_chat_template(USER, tokenize=False)
    return None if ours.apply_chat_template(USER) == prompt else f"{told}: {prompt!r}"
