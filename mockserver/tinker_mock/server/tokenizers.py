"""The one seam to `tinker_mock.tokenizer`: which tokenizer a model on offer is read with.

Looked for, in this order: `tokenizer_id` as a local path; the directory TINKER_MOCK_TOKENIZERS
(by default `shared/tokenizers` beside the repository) and then the shipped fixtures, under the
model's id, its last part, or its family; the Hugging Face cache; what `tinker-mock tokenizers take`
took out of tml-renderers. Nothing is downloaded. Reading one needs the extra `text` as a whole.
Inkling's ranks are read from tml-renderers (extra `renderers`) as they are. A model whose own
tokenizer is not found has a stand-in.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinker_mock.contracts.locations import FIXTURES, ROOT
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.own_tokenizers import TAKEN, own_folder
from tinker_mock.server.stand_in import (
    MARK,
    NamedModel,
    StandInTokenizer,
    Vocabulary,
    identity_of,
    stand_in_folder,
    vocabulary_of,
)

if TYPE_CHECKING:
    from tinker_mock.tokenizer import ChatTemplate as ChatTemplate
    from tinker_mock.tokenizer import StopSequenceDecoder
    from tinker_mock.tokenizer import Tokenizer as Tokenizer

ENVIRONMENT = "TINKER_MOCK_TOKENIZERS"
SHIPPED = FIXTURES / "tokenizers"
NEEDS = ("faker", "huggingface_hub", "jinja2", "regex", "tiktoken", "tokenizers")
INKLING, RANKS = "inkling", "o200k_base.tiktoken"
"""Clients encode for Inkling with tml-renderers' own form of these ranks."""
INSTALL = "pip install 'tinker-mock[text]'"
_log = logging.getLogger(__name__)


def tokenizer_for(model: NamedModel) -> Tokenizer | None:
    """The model's tokenizer, shared by all callers: its own, else its stand-in.

    None only for models with fewer ids than bytes and marks.
    """
    return own_tokenizer(model) or _stand_in(model)


def own_tokenizer(model: NamedModel) -> Tokenizer | None:
    """The model's own tokenizer if it is on this machine; one that appears later is found.

    A tokenizer of another size than the catalogue says is not this model's, and passed over.
    """
    ranks = _inkling_ranks(model)
    if ranks is not None and text_is_installed():
        return _of_ranks(ranks, model.name, lambda: vocabulary_of(model))
    name = (model.name, model.family, model.tokenizer_id, model.tokenizer_size)
    sources = tuple(_sources(model))
    return _load(name, sources, tuple(_state_of(source) for source, _ in sources))


def _inkling_ranks(model: NamedModel) -> Path | None:
    """The rank file of Inkling's tokenizer: in tml-renderers, or beside the other tokenizers.

    Inkling 2 has ranks of its own, which are in no package on the index. What was taken goes first:
    clients can load that too.
    """
    if model.family != INKLING or "Inkling-2" in model.name or own_folder(model) is not None:
        return None
    package = find_spec("tml_renderers")
    folders = [Path(one) / "data" for one in (package and package.submodule_search_locations) or ()]
    found = (folder / RANKS for folder in (*folders, tokenizer_directory() / "openai"))
    return next((path for path in found if path.is_file()), None)


def _of_ranks(path: Path, name: str, vocabulary: Callable[[], Vocabulary]) -> Tokenizer:
    if (path, name) not in _ranked:
        from tinker_mock.tokenizer.openai import PATTERNS
        from tinker_mock.tokenizer.ranked import RankedTokenizer
        from tinker_mock.tokenizer.ranks import read_ranks

        marks = vocabulary().marks
        _ranked[path, name] = RankedTokenizer(name, read_ranks(path), PATTERNS[path.stem], marks)
    return _ranked[path, name]


_ranked: dict[tuple[Path, str], Tokenizer] = {}


def folder_of(model: NamedModel, forms: Sequence[str] = ("tokenizer.json",)) -> str | None:
    """The directory on this machine from which a client loads what the server reads with.

    `forms` are the files that it can load. None where there is none: a tokenizer in another form,
    no disk to write.
    """
    if own_tokenizer(model) is None:
        try:
            return str(stand_in_folder(model))
        except (ValueError, OSError) as problem:
            _log.warning("%s: no stand-in tokenizer on disk: %s", model.name, problem)
            return None
    if _inkling_ranks(model) is not None:
        return None
    for source, _ in _sources(model):
        for directory in _directories(source):
            if any((directory / name).is_file() for name in forms):
                return str(directory.resolve())
    return None


def has_own_files(model: NamedModel) -> bool:
    """Whether something that may be the model's own tokenizer is here; nothing is loaded."""
    return text_is_installed() and bool(own_files(model))


def own_files(model: NamedModel) -> tuple[str, ...]:
    """What the model's own tokenizer may be read from, with the times of change; () for nothing."""
    ranks = _inkling_ranks(model)
    if ranks is not None:
        return _state_of(str(ranks))
    found = _sources(model)
    return tuple(file for source, _ in found for file in _state_of(source))


@cache
def text_is_installed() -> bool:
    """Whether the packages of the extra `text` are here, all of them."""
    return all(find_spec(name) for name in NEEDS)


def tokenizer_directory() -> Path:
    """Where directories of tokenizers are expected."""
    beside = ROOT.parent / "shared" / "tokenizers"
    return Path(os.environ.get(ENVIRONMENT) or beside)


@lru_cache(maxsize=256)
def _load(
    model: tuple[str, str, str, int],
    sources: tuple[tuple[str, str | None], ...],
    state: tuple[tuple[str, ...], ...],
) -> Tokenizer | None:
    """`state` is what the sources' directories hold: the answer is kept as long as it is that."""
    name, _, _, size = model
    here = [source for source, files in zip(sources, state, strict=True) if files]
    if not here:
        return None
    if not text_is_installed():
        _log.warning("%s: its tokenizer in %s needs %s", name, here[0][0], INSTALL)
        return None
    from tinker_mock.tokenizer import LoadOptions, TokenizerError, load_tokenizer

    for source, kimi_table in here:
        options = LoadOptions(kimi_table=kimi_table, offline=True)
        for place in _directories(source) or [Path(source)]:
            try:
                tokenizer = load_tokenizer(place, options)
            except TokenizerError as error:
                _log.debug("no tokenizer for %s in %s: %s", name, place, error)
                continue
            if tokenizer.vocab_size == size:
                if (place / TAKEN).is_file():
                    # Its template is the stand-in's, for clients: without tools and pictures.
                    tokenizer.chat_template = None
                return tokenizer
            _log.info("%s: %s has %d ids, not %d", name, place, tokenizer.vocab_size, size)
    return None


def _stand_in(model: NamedModel) -> StandInTokenizer | None:
    """Models of one stand-in share its vocabulary."""
    identity = identity_of(model)
    if (model.name, identity) not in _stand_ins:
        _stand_ins[model.name, identity] = _make_stand_in(model, identity)
    return _stand_ins[model.name, identity]


def _make_stand_in(model: NamedModel, identity: str) -> StandInTokenizer | None:
    try:
        if identity not in _vocabularies:
            _vocabularies[identity] = vocabulary_of(model)
    except ValueError as problem:
        _log.warning("%s has no tokenizer: %s", model.name, problem)
        return None
    from tinker_mock.tokenizer import SpecialTokens

    ids = _vocabularies[identity]
    roles = SpecialTokens(bos=ids.bos, eos=ids.eos, pad=ids.eos, ids=ids.marks)
    return StandInTokenizer(f"stand-in for {model.name}", ids, roles)


_stand_ins: dict[tuple[str, str], StandInTokenizer | None] = {}
_vocabularies: dict[str, Vocabulary] = {}


def _sources(model: NamedModel) -> Iterator[tuple[str, str | None]]:
    """Candidates, best first, with the table of Kimi's special tokens to use, if one is to."""
    name, tokenizer_id = model.name, model.tokenizer_id
    if os.path.exists(tokenizer_id):
        yield tokenizer_id, None
    parts = model.family.split("_")
    families = ["_".join(parts[:end]) for end in range(len(parts), 0, -1)]
    for root in map(str, (tokenizer_directory(), SHIPPED)):
        for own in (tokenizer_id, name):
            for directory in (own.replace("/", "__"), own.split("/")[-1]):
                folder = os.path.join(root, directory)
                if os.path.isdir(folder):
                    yield folder, None
        for directory in families:
            folder = os.path.join(root, directory)
            if directory and os.path.isdir(folder):
                yield folder, _kimi_table(name)
    yield tokenizer_id, None
    taken = own_folder(model)
    if taken is not None:
        yield str(taken), None


def _state_of(source: str) -> tuple[str, ...]:
    """The files from which a tokenizer would be read; () for none."""
    files = [file for folder in _directories(source) for file in sorted(folder.glob("*tok*"))]
    files += [Path(source)] if os.path.isfile(source) else []
    return tuple(f"{file}:{file.stat().st_mtime_ns}" for file in files)


def _directories(source: str) -> list[Path]:
    """The source itself, or its downloads in the Hugging Face cache."""
    if os.path.isdir(source):
        return [Path(source)]
    repository = Path(_hub_cache(), f"models--{source.replace('/', '--')}")
    if not os.path.isdir(repository):
        return []
    found = sorted((repository / "snapshots").glob("*"))
    main = repository / "refs" / "main"
    wanted = main.read_text().strip() if main.is_file() else ""
    found.sort(key=lambda folder: folder.name != wanted)
    return [folder for folder in found if not (folder / MARK).is_file()]


def _hub_cache() -> str:
    """Where huggingface_hub keeps downloads."""
    home = os.environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")
    return os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")


def _kimi_table(name: str) -> str | None:
    """Kimi models share their ranks and differ in their special tokens."""
    if "Kimi-K3" in name:
        return "k3"
    if "Kimi-K2" not in name:
        return None
    if "Thinking" in name:
        return "k2_thinking"
    return "k25" if "Kimi-K2." in name else "k2_instruct"


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
    """A conversation under the tokenizer's chat template, for its `encode_prompt`; raises
    BadRequest.

    Of the variables the template is given those that it reads.
    """
    from tinker_mock.tokenizer import TokenizerError, variables_of

    template = tokenizer.chat_template
    try:
        read = variables_of(template.chosen(tools=tools)) if template else frozenset()
        known: dict[str, Any] = {n: value for n, value in variables.items() if n in read}
        text = tokenizer.apply_chat_template(
            messages, tools=tools, add_generation_prompt=True, guarded=True, **known
        )
    except TokenizerError as error:
        raise BadRequest(
            f"messages: the model's chat template refuses them: {error}",
            pointer="/messages",
            rule="the conversation fits the model's chat template",
            fix="see the template's message; roles and their order are the usual cause",
        ) from error
    return str(text)


def prompt_encoder(tokenizer: Tokenizer) -> Callable[[str], list[int]]:
    """What gives the ids of `templated_prompt`."""
    from tinker_mock.tokenizer.rendering import Templated

    if not isinstance(tokenizer, Templated):
        return tokenizer.encode
    return tokenizer.encode_prompt
