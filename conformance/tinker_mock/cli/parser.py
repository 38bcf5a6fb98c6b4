"""argparse that guesses what a mistyped word was meant to be."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean …?' with the known word that looks most like this one, or ''."""
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


class Parser(argparse.ArgumentParser):
    """One command's options. A docstring as description keeps its line breaks."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*arguments, **options)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """As `parse_args`; an option that nobody knows is answered with one that looks like it."""
        arguments, unknown = self.parse_known_args(words)
        if unknown:
            option = next((word for word in unknown if word.startswith("-")), unknown[0])
            hint = did_you_mean(option.partition("=")[0], self.option_words())
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return arguments

    def option_words(self) -> Iterator[str]:
        """Every option, those of sub-commands included."""
        for action in self._actions:
            yield from action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                for below in action.choices.values():
                    yield from below.option_words()

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += did_you_mean(str(value), map(str, action.choices or ()))
            raise
