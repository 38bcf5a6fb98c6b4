"""The tinkex client's reading of an event stream, where it differs from the standard.

Blocks are split at doubled line ends of one kind; all white space before a value is dropped; an
id belongs to its event only; a block of comments is an event without data.
"""

import re
from dataclasses import dataclass

_BLOCK_END = re.compile(r"\r\n\r\n|\n\n|\r\r")
_LINE_END = re.compile(r"\r\n|\n|\r")
_INTEGER = re.compile(r"\d+")


@dataclass(slots=True)
class Block:
    """The fields of one block."""

    data: str = ""
    event: str | None = None
    id: str | None = None
    retry: int | None = None


def split_blocks(text: str) -> tuple[list[str], str]:
    """Complete blocks, and the rest."""
    *blocks, rest = _BLOCK_END.split(text)
    return blocks, rest


def parse_block(text: str) -> Block:
    """Read the lines of one block."""
    block, data = Block(), []
    for line in _LINE_END.split(text):
        name, _, value = line.partition(":")
        value = value.lstrip()
        if name == "data":
            data.append(value)
        elif name == "event":
            block.event = value
        elif name == "id":
            block.id = value
        elif name == "retry" and (number := _INTEGER.match(value)):
            block.retry = int(number.group())
    block.data = "\n".join(data)
    return block
