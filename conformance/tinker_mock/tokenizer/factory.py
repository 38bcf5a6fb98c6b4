"""One way in: a tokenizer by path, by model name, or by Hugging Face id."""

import asyncio
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from threading import Lock
from typing import Any

from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.file_kinds import load_directory, load_file, load_ranks
from tinker_mock.tokenizer.load_options import OPTION_NAMES, LoadOptions
from tinker_mock.tokenizer.mock import MockTokenizer
from tinker_mock.tokenizer.model_ids import REVISIONS, tokenizer_id_of
from tinker_mock.tokenizer.rendering import LoadedTokenizer
from tinker_mock.tokenizer.template_files import read_template

MOCK_NAMES = ("mock", "test")
PATH_SUFFIXES = (".json", ".model", ".tiktoken", ".gguf")
# Files of a directory that a tokenizer may depend on; weights and the like are not looked at.
WATCHED = (".json", ".model", ".tiktoken", ".gguf", ".jinja", ".txt")

Question = tuple[str, LoadOptions]
Fingerprint = tuple[tuple[str, int, int, int], ...]
_cache: dict[Question, tuple[Fingerprint, LoadedTokenizer]] = {}
_loading: dict[Question, Lock] = {}


def load_tokenizer(
    name: str | Path, options: LoadOptions | None = None, **more: Any
) -> LoadedTokenizer:
    """The tokenizer `name` stands for; the same object for the same name, options and files.

    `name` is "mock", a file, a directory, an OpenAI model or a Hugging Face id. Options are a
    `LoadOptions` or its fields as keywords. Raises TokenizerError with a code: `not_found`,
    `unsupported_format`, `missing_package`, `offline`, `incomplete`, `download_failed`,
    `unknown_model`, …
    """
    if not isinstance(name, str | Path) or not str(name):
        raise TokenizerError("validation", f"invalid tokenizer_id: {name}", detail=name)
    if "://" in str(name):
        fix = "Give a path, or a Hugging Face id such as org/name."
        raise TokenizerError("validation", f"{name} is an address", fix=fix, detail=name)
    options = options or LoadOptions(**_known(more))
    question = (str(name), options)
    # One load a question, and nobody else waits for it.
    with _loading.setdefault(question, Lock()):
        place = _place(str(name), options)
        fingerprint = tuple(_fingerprints(place, options))
        if question not in _cache or _cache[question][0] != fingerprint:
            _cache[question] = (fingerprint, _load(str(name), place, options))
        return _cache[question][1]


async def load_tokenizer_async(
    name: str | Path, options: LoadOptions | None = None, **more: Any
) -> LoadedTokenizer:
    """As `load_tokenizer`, off the event loop."""
    return await asyncio.to_thread(load_tokenizer, name, options, **more)


def _known(options: dict[str, Any]) -> dict[str, Any]:
    for name in options:
        if name not in OPTION_NAMES:
            close = get_close_matches(name, OPTION_NAMES, n=1)
            hint = f"did you mean {close[0]}?" if close else f"Known: {', '.join(OPTION_NAMES)}."
            raise TokenizerError("validation", f"There is no option {name!r}; {hint}", detail=name)
    return options


def _place(name: str, options: LoadOptions) -> Path | None:
    """The file or directory a name stands for; None where there is none (yet)."""
    if name in MOCK_NAMES or options.tiktoken_model_path is not None:
        return None
    path = Path(name).expanduser()
    if path.exists():
        return path
    if name.startswith(("/", "./", "../", "~")) or path.suffix in PATH_SUFFIXES:
        raise TokenizerError("not_found", f"File not found: {name}", detail=name)
    from tinker_mock.tokenizer import openai
    from tinker_mock.tokenizer.hub import fetch_tokenizer

    if openai.is_openai_model(name):
        return None
    repo = tokenizer_id_of(name)
    return fetch_tokenizer(
        repo,
        revision=options.revision,
        pinned=REVISIONS.get(repo),
        cache_dir=options.path("cache_dir"),
        offline=options.offline,
        token=options.token,
    )


def _fingerprints(place: Path | None, options: LoadOptions) -> Iterable[tuple[str, int, int, int]]:
    """(real path, size, time of change and of content) of the files a result may depend on."""
    named = [options.path(name) for name in ("chat_template", "tiktoken_model_path",
                                             "tokenizer_config_path")]  # fmt: skip
    files = [file for file in (place, *named) if file is not None and file.is_file()]
    directories = [file.parent for file in files]
    directories += [place] if place is not None and place.is_dir() else []
    for directory in directories:
        for folder in (directory, directory / "additional_chat_templates"):
            if folder.is_dir():
                files += sorted(file for file in folder.iterdir()
                                if file.suffix in WATCHED and file.is_file())  # fmt: skip
    for file in dict.fromkeys(files):
        stat = file.stat()
        yield str(file.resolve()), stat.st_size, stat.st_ctime_ns, stat.st_mtime_ns


def _load(name: str, place: Path | None, options: LoadOptions) -> LoadedTokenizer:
    if name in MOCK_NAMES:
        tokenizer = MockTokenizer()
        if (template := options.path("chat_template")) is not None:
            tokenizer.chat_template = read_template(template)
        return tokenizer
    if (ranks := options.path("tiktoken_model_path")) is not None:
        return load_ranks(name, ranks, options)
    if place is None:
        return _load_openai(name, options)
    if place.is_file():
        return load_file(place, options)
    is_path = Path(name).expanduser().exists()
    return load_directory(place, options, name=place.name if is_path else tokenizer_id_of(name))


def _load_openai(name: str, options: LoadOptions) -> LoadedTokenizer:
    from tinker_mock.tokenizer import openai
    from tinker_mock.tokenizer.hub import is_offline

    template = options.path("chat_template")
    return openai.load_encoding(
        openai.encoding_of(name),
        offline=is_offline(options.offline),
        default_allow_special=options.allow_special_tokens,
        chat_template=None if template is None else read_template(template),
    )
