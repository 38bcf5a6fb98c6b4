"""Makes the small data sets that the cookbook's recipes load by name, without a hub.

`datasets.load_dataset("org/name")` takes a relative directory first, so each one is a folder in
the directory the recipes run in. The same seed gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from faker import Faker

SEED = 11


def make(folder: Path) -> None:
    """Write every data set below `folder`."""
    fake = Faker("en_US")
    fake.seed_instance(SEED)
    chats = [_chat(fake) for _ in range(256)]
    _write(folder / "data" / "train.jsonl", chats[:200])
    _write(folder / "HuggingFaceH4" / "no_robots" / "train.jsonl", chats)
    _write(folder / "HuggingFaceH4" / "no_robots" / "test.jsonl", [_chat(fake) for _ in range(32)])
    pairs = [_pair(fake) for _ in range(160)]
    _write(folder / "Anthropic" / "hh-rlhf" / "train.jsonl", pairs[:128])
    _write(folder / "Anthropic" / "hh-rlhf" / "test.jsonl", pairs[128:])
    questions = [{"question": _question(fake)} for _ in range(96)]
    _write(folder / "zwhe99" / "DeepMath-103K" / "train.jsonl", questions[:80])
    _write(folder / "zwhe99" / "DeepMath-103K" / "test.jsonl", questions[80:])


def _question(fake: Faker) -> str:
    a, b = fake.random_int(1, 99), fake.random_int(1, 99)
    return f"{fake.first_name()} has {a} apples and buys {b} more. How many are there?"


def _chat(fake: Faker) -> dict[str, object]:
    return {
        "messages": [
            {"role": "user", "content": _question(fake)},
            {"role": "assistant", "content": f"There are more than {fake.random_int(1, 99)}."},
        ]
    }


def _pair(fake: Faker) -> dict[str, str]:
    opening = f"\n\nHuman: {_question(fake)}\n\nAssistant: "
    kind, rude = fake.random_int(1, 199), fake.word()
    return {
        "chosen": f"{opening}Thank you for asking. The answer is {kind}.",
        "rejected": f"{opening}I will not tell you, {rude}.",
    }


def _write(path: Path, rows: Iterable[dict[str, object] | dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
