"""Texts that match a JSON schema's `pattern`, seeded.

What is drawn: characters and escapes, classes, groups, alternatives, repetitions, `^` at the
beginning and `$` at the end. What looks around, back or at word boundaries is refused by name.
"""

import re
import string
import sys
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tinker_mock.server.budget import checkpoint

MORE = 3
"""Repetitions beyond those that must be."""
MOST = 2_000
"""Characters of a text, and of a pattern."""
DEEPEST = 20
"""Groups within groups."""
WORD = string.ascii_letters + string.digits + "_"
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
CLASSES = {"d": string.digits, "w": WORD, "s": " "}
CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0"}
REPETITION = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
CODE = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}")

Draw = Callable[[Random, int], str]
"""A text from a source of chance and the repetitions beyond those that must be."""


class NotDrawn(ValueError):
    """A pattern, or part of it, that this file does not draw; the message names it."""


def matching_text(pattern: str, chance: Random, least: int = 0, most: int | None = None) -> str:
    """A text of `least` to `most` characters that matches; raises NotDrawn."""
    if len(pattern) > MOST or least > MOST:
        raise NotDrawn(f"pattern {pattern[:20]!r}…: more than {MOST} characters are not drawn")
    draw = _Reader(pattern).whole()
    for more in (MORE, 0, 1, least // 4, least // 2, least, least):
        for _ in range(4):
            checkpoint()
            text = draw(chance, more)
            if least <= len(text) <= (MOST if most is None else most):
                return text
    raise NotDrawn(f"pattern {pattern!r} with these lengths is not drawn")


@dataclass
class _Reader:
    """A pattern, read from left to right."""

    pattern: str
    at: int = 0
    depth: int = 0

    def whole(self) -> Draw:
        draw = self._alternatives()
        if self.at < len(self.pattern):
            raise self._unknown(self.pattern[self.at])
        return draw

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _take(self) -> str:
        taken = self._peek()
        if not taken:
            raise self._unknown("its end")
        self.at += 1
        return taken

    def _unknown(self, part: str) -> NotDrawn:
        return NotDrawn(f"pattern {self.pattern!r}: {part} is not drawn")

    def _alternatives(self) -> Draw:
        ways = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            ways.append(self._sequence())
        return lambda chance, more: chance.choice(ways)(chance, more)

    def _sequence(self) -> Draw:
        parts: list[Draw] = []
        while self._peek() not in ("", "|", ")"):
            sign = self._take()
            if sign == "^" and not parts:
                continue
            if sign == "$" and self._peek() in ("", "|", ")"):
                continue
            if sign in "^$*+?":
                raise self._unknown(sign)
            parts.append(self._repeated(self._atom(sign)))
        return lambda chance, more: "".join(part(chance, more) for part in parts)

    def _atom(self, sign: str) -> Draw:
        if sign == "(":
            return self._group()
        if sign == "[":
            characters = self._set()
        elif sign == ".":
            characters = string.ascii_lowercase
        else:
            characters = self._escape() if sign == "\\" else sign
        return lambda chance, _: chance.choice(characters)

    def _group(self) -> Draw:
        if self._peek() == "?":
            named = re.compile(r"\?(?::|<\w+>)").match(self.pattern, self.at)
            if named is None:
                raise self._unknown(f"({self.pattern[self.at : self.at + 3]}…)")
            self.at = named.end()
        self.depth += 1
        if self.depth > DEEPEST:
            raise self._unknown(f"a group within {DEEPEST} others")
        draw = self._alternatives()
        self.depth -= 1
        if self._take() != ")":
            raise self._unknown("(")
        return draw

    def _escape(self) -> str:
        code = CODE.match(self.pattern, self.at)
        if code:
            number = int(code[code.lastindex or 1], 16)
            if 0xD800 <= number < 0xE000 or number > sys.maxunicode:
                raise self._unknown(f"\\{code.group()}")
            self.at = code.end()
            return chr(number)
        sign = self._take()
        if sign in CLASSES or sign in CONTROLS:
            return CLASSES.get(sign) or CONTROLS[sign]
        if sign.lower() in CLASSES:
            return "".join(c for c in PRINTABLE if c not in CLASSES[sign.lower()])
        if sign.isalnum():
            raise self._unknown(f"\\{sign}")
        return sign

    def _set(self) -> str:
        negated = self._peek() == "^"
        self.at += negated
        found: list[str] = []
        while (sign := self._take()) != "]":
            one = self._escape() if sign == "\\" else sign
            ranged = self._peek() == "-" and self.pattern[self.at + 1 : self.at + 2] != "]"
            if len(one) == 1 and ranged:
                self.at += 1
                end = self._take()
                end = self._escape() if end == "\\" else end
                one = "".join(map(chr, range(ord(one), min(ord(end), ord(one) + 255) + 1)))
            found.append(one)
        members = "".join(found)
        characters = "".join(c for c in PRINTABLE if c not in members) if negated else members
        if not characters:
            raise self._unknown("an empty class")
        return characters

    def _repeated(self, draw: Draw) -> Draw:
        least, most = 1, 1
        counted = REPETITION.match(self.pattern, self.at)
        bounds = {"*": (0, MOST), "+": (1, MOST), "?": (0, 1)}
        if counted:
            least = int(counted[1])
            most = (int(counted[3]) if counted[3] else MOST) if counted[2] else least
            self.at = counted.end()
        elif self._peek() in bounds and self._peek():
            least, most = bounds[self._take()]
        else:
            return draw
        if least > MOST:
            raise self._unknown(f"a repetition beyond {MOST}")
        self.at += self._peek() == "?"

        def several(chance: Random, more: int) -> str:
            times = chance.randint(least, max(least, min(most, least + more)))
            drawn: list[str] = []
            size = 0
            while len(drawn) < times and size <= MOST:
                drawn.append(draw(chance, more))
                size += len(drawn[-1])
                if not drawn[-1]:  # what may be empty may be so any number of times
                    break
            return "".join(drawn)

        return several
