"""Rank files: `base64-of-the-bytes rank`, one token a line (tiktoken's own format)."""

import base64
import binascii
from pathlib import Path

from tinker_mock.tokenizer.errors import TokenizerError


def parse_ranks(content: bytes) -> dict[bytes, int]:
    """Token bytes to rank. Lines without two fields are skipped, as the originals do.

    Raises TokenizerError `invalid_tiktoken_model` (base64 or rank) or `empty_tiktoken_model`.
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(content.splitlines(), 1):
        fields = line.split()
        if len(fields) < 2:
            continue
        try:
            ranks[base64.b64decode(fields[0], validate=True)] = int(fields[1])
        except (binascii.Error, ValueError) as error:
            raise TokenizerError(
                "invalid_tiktoken_model",
                f"Line {number} of the rank file is not `base64 rank`: {line[:60]!r}.",
                fix="Is this a SentencePiece model? Those are not supported.",
                detail=number,
            ) from error
    if not ranks:
        raise TokenizerError("empty_tiktoken_model", "The rank file holds no tokens.")
    return ranks


def read_ranks(path: Path) -> dict[bytes, int]:
    """The ranks in a file; a missing file is a TokenizerError `not_found`."""
    try:
        return parse_ranks(path.read_bytes())
    except OSError as error:
        raise TokenizerError("not_found", f"File not found: {path}", detail=str(path)) from error


def covers_all_bytes(ranks: dict[bytes, int]) -> bool:
    """Whether every text can be encoded, however unusual."""
    return all(bytes([value]) in ranks for value in range(256))
