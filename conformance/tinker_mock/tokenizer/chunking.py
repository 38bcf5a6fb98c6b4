"""How Moonshot's own wrapper cuts long texts before it encodes them.

Two cuts: every 400,000 characters, then wherever more than 25,000 characters in a row are all
white space or all not. The ids of a cut text can differ from those of the whole (30,000 spaces
are 120 tokens instead of 118), so it is an option: off, a text has the ids tiktoken gives it; on,
those of the official wrapper.
"""

from collections.abc import Iterator

MAX_CHARACTERS = 400_000
MAX_RUN = 25_000


def split_runs(text: str, max_run: int = MAX_RUN) -> list[str]:
    """Cut `text` where a run of the same class (white space or not, by `str.isspace`) would
    exceed `max_run`. A change of class is no cut. The empty text is one part."""
    parts: list[str] = []
    start = run = 0
    in_space = text[:1].isspace()
    for at, character in enumerate(text):
        if character.isspace() is not in_space:
            in_space, run = not in_space, 1
            continue
        run += 1
        if run > max_run:
            parts.append(text[start:at])
            start, run = at, 1
    parts.append(text[start:])
    return parts


def chunk_like_the_official_wrapper(text: str) -> list[str]:
    """The parts of `text` that are encoded apart; one part for all but very long texts."""
    if len(text) <= MAX_RUN:
        return [text]
    return list(_chunks(text))


def _chunks(text: str) -> Iterator[str]:
    for at in range(0, len(text), MAX_CHARACTERS):
        yield from split_runs(text[at : at + MAX_CHARACTERS])
