"""Text for the n-gram prior: short answers and thoughts, made with a seeded Faker.

The sentences only need to look like language. Written once, encoded once per tokenizer, and both
kept on disk (`cache_folder.py`).
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from tinker_mock.server.cache_folder import cache_folder, digest_of
from tinker_mock.server.engine.model.grammar import ChatGrammar
from tinker_mock.server.engine.model.keys import Ints

Encode = Callable[[str], Sequence[int]]

SEED = 20
ANSWERS, THOUGHTS = 1600, 600
LATEST = datetime(2026, 11, 28, 16)
"""The end of Faker's dates. Its own is the moment it is asked, and texts would change with it."""
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip

ANSWER_FORMS = (
    "My name is {name} and I live in {city}.",
    "I work as a {job} for {company} in {city}.",
    "On {day} the {color} house in {street} was sold to {name}.",
    "The answer is {number}, because {number} plus {number} is larger than {number}.",
    "Yes, {first} can help you with that on {day}.",
    "No, I do not think that {first} lives in {country}.",
    "Thank you for your question about {country}.",
    "First, read the letter from {company}. Then write to {name} before {month}.",
    "There are {number} people in the team, and {first} is the youngest.",
    "It depends on the weather in {city}, which is often cold in {month}.",
    "{first} and {second} met in {city} in {year} and moved to {country} later.",
    "You can find the {word} next to the {word} on the table.",
    "Hello! How can I help you today?",
    "Here is a short story about {first}, who wanted to see {country}.",
    "The train to {city} leaves at {number} o'clock and arrives in the evening.",
    "Please send the {word} to {email} by {day}.",
    "In {month} {year} the company {company} opened an office in {city}.",
    "The {color} {word} costs {number} dollars, and the {color} one costs {number}.",
    "She told {first} that the {word} was not ready.",
    "I would choose the {color} one, since it is the best {word} for a {job}.",
    "The list has three parts: the {word}, the {word} and the {word}.",
    "If you add {number} and {number}, you get the number of days.",
)
THOUGHT_FORMS = (
    "The user asks about {country}.",
    "I should give a short answer.",
    "Let me think about the {word} first.",
    "They mention {first}, so the answer is about {city}.",
    "If it is {number}, then the next one is {number}.",
    "I will check the {word} again.",
    "So the answer is clear.",
)


def texts() -> tuple[list[str], list[str]]:
    """Answers and thoughts, always the same."""
    from faker import Faker

    fake = Faker("en_US")
    fake.seed_instance(SEED)
    stream = np.random.default_rng(SEED)

    def text(forms: Sequence[str], most: int) -> str:
        chosen = stream.integers(0, len(forms), int(stream.integers(1, most + 1)))
        return " ".join(forms[i].format_map(_Fields(fake, stream)) for i in chosen)

    answers = [text(ANSWER_FORMS, 3) for _ in range(ANSWERS)]
    return answers, [text(THOUGHT_FORMS, 3) for _ in range(THOUGHTS)]


class _Fields(dict[str, str]):
    """Fills a form's fields as they are asked for."""

    def __init__(self, fake: Any, stream: np.random.Generator) -> None:
        super().__init__()
        self._fake = fake
        self._stream = stream

    def __missing__(self, field: str) -> str:
        if field == "number":
            return str(int(self._stream.integers(1, 100)))
        if field == "year":
            return str(int(self._stream.integers(1950, 2026)))
        if field == "day":
            return DAYS[int(self._fake.date("%w", LATEST))]
        if field == "month":
            return MONTHS[int(self._fake.date("%m", LATEST)) - 1]
        return str(getattr(self._fake, _SOURCES[field])())


_SOURCES = {
    "name": "name",
    "first": "first_name",
    "second": "first_name",
    "city": "city",
    "country": "country",
    "street": "street_name",
    "company": "company",
    "job": "job",
    "color": "safe_color_name",
    "word": "word",
    "email": "safe_email",
}


def documents(encode: Encode, grammar: ChatGrammar) -> list[Ints]:
    """The texts as token ids, dressed as turns of this grammar and ended by its end token."""
    answers, thoughts = kept_texts()
    thinks = grammar.thinks and grammar.think_open is not None and grammar.think_close is not None
    opened = [*grammar.header, *grammar.opening]
    found = []
    for place, answer in enumerate(answers):
        turn = list(opened)
        if thinks and place < len(thoughts):
            assert grammar.think_open is not None
            assert grammar.think_close is not None
            turn += [grammar.think_open, *encode("\n" + thoughts[place] + "\n")]
            turn += [grammar.think_close, *encode("\n\n" + answer)]
        else:
            turn += encode(answer)
        turn += [grammar.closing] if grammar.closing is not None else []
        found.append(np.array([*turn, *grammar.end_tokens[:1]], dtype=np.int64))
    return found


def kept_texts() -> tuple[list[str], list[str]]:
    """`texts`, from the disk if they were made before; several who ask wait for one making."""
    path = _place("texts", "json")
    with _writing:
        try:
            answers, thoughts = json.loads(path.read_bytes()) if path else texts()
        except (OSError, ValueError):
            answers, thoughts = texts()
            assert path
            _keep(path, lambda file: file.write(json.dumps([answers, thoughts]).encode()))
    return answers, thoughts


_writing = Lock()


def _place(kind: str, ending: str, *made_of: object) -> Path | None:
    """Where what this code makes of that is kept; None for nowhere."""
    folder = cache_folder()
    if folder is None:
        return None
    recipe = repr((*made_of, digest_of(Path(__file__)), version("faker")))
    return folder / f"{kind}-{hashlib.sha256(recipe.encode()).hexdigest()[:24]}.{ending}"


def kept_documents(tokenizer_id: str, encode: Encode, grammar: ChatGrammar) -> list[Ints]:
    """`documents`, from the disk if they were made before by the same code and words."""
    path = _place("corpus", "npy", tokenizer_id, grammar)
    if path is None:
        return documents(encode, grammar)
    try:
        return _read(path)
    except (OSError, ValueError, EOFError):
        made = documents(encode, grammar)
        sizes = [len(made), *(document.size for document in made)]
        _keep(path, lambda file: np.save(file, np.concatenate([sizes, *made]).astype(np.int32)))
        return made


def _read(path: Path) -> list[Ints]:
    """The documents, mapped from the disk: their number, their sizes, their tokens."""
    kept = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    count = int(kept[0]) if kept.ndim == 1 and kept.size else 0
    ends = np.cumsum(kept[1 : count + 1], dtype=np.int64)
    if not count or kept.size != 1 + count + ends[-1]:
        raise ValueError(f"{path} holds no documents")
    return np.split(kept[count + 1 :], ends[:-1])


def _keep(path: Path, write: Callable[[Any], object]) -> None:
    """Write whole or not at all; a disk that refuses is no reason to fail."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            write(file)
        os.replace(file.name, path)
    except OSError:
        return
