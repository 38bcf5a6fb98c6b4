"""Random texts over all scripts, seeded; and the tokenizers the tests share."""

import os
import random
import unicodedata
from functools import cache
from pathlib import Path

import pytest

from tinker_mock.tokenizer import Tokenizer, load_tokenizer
from tinker_mock.tokenizer.mock import MockTokenizer

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures" / "tokenizers"
SMALL = ("kimi_small", "bytelevel_small", "fallback_small")

# First and last code points of what a text is drawn from.
RANGES = {
    "latin": (0x20, 0x24F),
    "greek": (0x370, 0x3FF),
    "cyrillic": (0x400, 0x52F),
    "hebrew": (0x590, 0x5FF),
    "arabic": (0x600, 0x6FF),
    "devanagari": (0x900, 0x97F),
    "thai": (0xE00, 0xE7F),
    "ethiopic": (0x1200, 0x137F),
    "punctuation": (0x2000, 0x206F),
    "symbols": (0x2190, 0x22FF),
    "kana": (0x3040, 0x30FF),
    "han": (0x4E00, 0x9FFF),
    "hangul": (0xAC00, 0xD7A3),
    "surrogates": (0xD800, 0xDFFF),
    "private": (0xE000, 0xE0FF),
    "replacement": (0xFFF0, 0xFFFD),
    "gothic": (0x10330, 0x1034F),
    "mathematical": (0x1D400, 0x1D7FF),
    "emoji": (0x1F300, 0x1FAFF),
    "rare han": (0x20000, 0x20FFF),
}
COMMON = [
    *"etaoin shrdlu,.'-\n\t  0123456789ETAOIN",
    "'s",
    "'LL",
    "  ",
    "\r\n",
    " the",
    "漢字",
]


def random_text(rng: random.Random, longest: int = 40) -> str:
    """A text of one to three kinds of characters, mixed with common ones."""
    kinds = rng.sample(sorted(RANGES), rng.randint(1, 3))
    parts = []
    for _ in range(rng.randint(0, longest)):
        if rng.random() < 0.5:
            parts.append(rng.choice(COMMON))
        else:
            parts.append(chr(rng.randint(*RANGES[rng.choice(kinds)])))
    return "".join(parts)


def random_texts(seed: int, count: int, longest: int = 40) -> list[str]:
    rng = random.Random(seed)
    return [random_text(rng, longest) for _ in range(count)]


def without_surrogates(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character) != "Cs")


def shared_path(name: str) -> Path:
    """A real tokenizer's directory; skips the test, saying so, where there is none."""
    root = Path(os.environ.get("TINKER_MOCK_TOKENIZERS") or ROOT.parent / "shared" / "tokenizers")
    if not (root / name).exists():
        pytest.skip(f"no {name} in {root}: set TINKER_MOCK_TOKENIZERS")
    return root / name


@cache
def small(name: str) -> Tokenizer:
    return MockTokenizer() if name == "mock" else load_tokenizer(FIXTURES / name)
