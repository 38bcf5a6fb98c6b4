"""The one seam to `tinker_mock.tokenizer`: which tokenizer a model on offer has on this machine.

Looked for, in this order: `tokenizer_id` as a local path; the directory TINKER_MOCK_TOKENIZERS
(by default `shared/tokenizers` beside the repository) and then the shipped fixtures, under the
model's id, its last part, or its family; the Hugging Face cache. Nothing is downloaded unless
asked. Reading one needs the extra `text` as a whole: without it no model has a tokenizer.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tinker_mock.contracts.locations import FIXTURES, ROOT
from tinker_mock.server.errors import BadRequest

if TYPE_CHECKING:
    from tinker_mock.tokenizer import ChatTemplate as ChatTemplate
    from tinker_mock.tokenizer import SpecialTokens as SpecialTokens
    from tinker_mock.tokenizer import StopSequenceDecoder
    from tinker_mock.tokenizer import Tokenizer as Tokenizer

ENVIRONMENT = "TINKER_MOCK_TOKENIZERS"
SHIPPED = FIXTURES / "tokenizers"
NEEDS = ("faker", "huggingface_hub", "jinja2", "regex", "tiktoken", "tokenizers")
INSTALL = "pip install 'tinker-mock[text]'"
_log = logging.getLogger(__name__)


class TokenizedModel(Protocol):
    """What is asked of a catalog's model."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def tokenizer_id(self) -> str: ...
    @property
    def tokenizer_size(self) -> int: ...


def tokenizer_for(model: TokenizedModel, *, download: bool = False) -> Tokenizer | None:
    """The model's tokenizer, shared by all callers; None when it is not on this machine.

    A tokenizer of another size than the catalog says is not this model's, and passed over.
    """
    return _find(
        model.name,
        model.family,
        model.tokenizer_id,
        model.tokenizer_size,
        os.environ.get(ENVIRONMENT, ""),
        download,
    )


@cache
def text_is_installed() -> bool:
    """Whether the packages of the extra `text` are here, all of them."""
    return all(find_spec(name) for name in NEEDS)


def tokenizer_directory() -> Path:
    """Where directories of tokenizers are expected."""
    beside = ROOT.parent / "shared" / "tokenizers"
    return Path(os.environ.get(ENVIRONMENT) or beside)


@lru_cache(maxsize=256)
def _find(
    name: str, family: str, tokenizer_id: str, size: int, environment: str, download: bool
) -> Tokenizer | None:
    if not text_is_installed():
        here = [
            source for source, _ in _sources(name, family, tokenizer_id) if Path(source).exists()
        ]
        if here:
            _log.warning("%s: its tokenizer in %s needs %s", name, here[0], INSTALL)
        return None
    from tinker_mock.tokenizer import LoadOptions, TokenizerError, load_tokenizer

    for source, kimi_table in _sources(name, family, tokenizer_id):
        options = LoadOptions(kimi_table=kimi_table, offline=not download)
        try:
            tokenizer = load_tokenizer(source, options)
        except TokenizerError as error:
            _log.debug("no tokenizer for %s in %s: %s", name, source, error)
            continue
        if tokenizer.vocab_size == size:
            return tokenizer
        _log.info("%s: %s has %d ids, not %d", name, source, tokenizer.vocab_size, size)
    return None


def _sources(name: str, family: str, tokenizer_id: str) -> Iterator[tuple[str, str | None]]:
    """Candidates, best first, with the table of Kimi's special tokens to use, if one is to."""
    if Path(tokenizer_id).exists():
        yield tokenizer_id, None
    parts = family.split("_")
    families = ["_".join(parts[:end]) for end in range(len(parts), 0, -1)]
    for root in (tokenizer_directory(), SHIPPED):
        for own in (tokenizer_id, name):
            for directory in (own.replace("/", "__"), own.split("/")[-1]):
                if (root / directory).is_dir():
                    yield str(root / directory), None
        for directory in families:
            if directory and (root / directory).is_dir():
                yield str(root / directory), _kimi_table(name)
    yield tokenizer_id, None


def _kimi_table(name: str) -> str | None:
    """Kimi models share their ranks and differ in their special tokens."""
    if "Kimi-K2" not in name:
        return None
    if "Thinking" in name:
        return "k2_thinking"
    return "k25" if "Kimi-K2." in name else "k2_instruct"


def no_special_tokens() -> SpecialTokens:
    """Special tokens of a tokenizer that names none."""
    from tinker_mock.tokenizer import SpecialTokens

    return SpecialTokens()


def stop_decoder(tokenizer: Tokenizer, stops: tuple[str, ...] = ()) -> StopSequenceDecoder:
    """Tokens to text, piece by piece, up to the first stop string."""
    from tinker_mock.tokenizer import StopSequenceDecoder, StopSequences

    return StopSequenceDecoder(tokenizer, StopSequences(stop_sequences=stops))


def templated_prompt(
    tokenizer: Tokenizer,
    messages: list[dict[str, Any]],
    tools: list[dict[str, Any]] | None,
    variables: dict[str, Any],
) -> str:
    """A conversation under the tokenizer's chat template; raises BadRequest."""
    from tinker_mock.tokenizer import TokenizerError

    try:
        return tokenizer.apply_chat_template(
            messages, tools=tools, add_generation_prompt=True, **variables
        )
    except TokenizerError as error:
        raise BadRequest(
            f"messages: the model's chat template refuses them: {error}",
            pointer="/messages",
            rule="the conversation fits the model's chat template",
            fix="see the template's message; roles and their order are the usual cause",
        ) from error
