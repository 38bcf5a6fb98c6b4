"""One way in: a tokenizer by path, by model name, or by Hugging Face id."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.mock import MockTokenizer
from tinker_mock.tokenizer.model_ids import REVISIONS, tokenizer_id_of
from tinker_mock.tokenizer.protocols import Tokenizer
from tinker_mock.tokenizer.template_files import discover_template, read_template
from tinker_mock.tokenizer.templates import ChatTemplate

MOCK_NAMES = ("mock", "test")
_SENTENCEPIECE_STARTS = (b"\x0a\x09", b"\x08\x00")
_SENTENCEPIECE_MARKS = (b"<unk", b"<s>", b"</s>")


@dataclass(frozen=True)
class LoadOptions:
    """Everything besides the name that changes what `load_tokenizer` gives.

    `chat_template`: a template file that goes before what lies beside the tokenizer.
    `tiktoken_model_path`, `tokenizer_config_path`: the files themselves, instead of a search.
    `chunking`: cut long texts as Kimi's official wrapper does. `offline`: None follows
    HF_HUB_OFFLINE. `token`: for gated repositories, instead of HF_TOKEN. `kimi_table`: name
    Kimi's special tokens by this published table (k2_instruct, k2_thinking, k25), whatever the
    configuration says.
    """

    chat_template: Path | None = None
    tiktoken_model_path: Path | None = None
    tokenizer_config_path: Path | None = None
    revision: str | None = None
    cache_dir: Path | None = None
    offline: bool | None = None
    token: str | None = None
    allow_special_tokens: bool = True
    chunking: bool = False
    pattern: str | None = None
    kimi_table: str | None = None


Loader = Callable[[str, LoadOptions], Tokenizer]
_cache: dict[tuple[Any, ...], Tokenizer] = {}
_loading: dict[tuple[Any, ...], Lock] = {}


def load_tokenizer(name: str | Path, options: LoadOptions | None = None, **more: Any) -> Tokenizer:
    """The tokenizer `name` stands for; the same object for the same name, options and files.

    `name` is "mock", a file, a directory, an OpenAI model or a Hugging Face id. Options are a
    `LoadOptions` or its fields as keywords. Raises TokenizerError with a code: `not_found`,
    `unsupported_format`, `offline`, `download_failed`, `unknown_model`, …
    """
    if not isinstance(name, str | Path) or not str(name):
        raise TokenizerError("validation", f"invalid tokenizer_id: {name}", detail=name)
    options = options or LoadOptions(**more)
    key = (str(name), options, *_fingerprints(Path(name), options))
    if key not in _cache:
        # One load per key, and nobody else waits for it.
        with _loading.setdefault(key, Lock()):
            if key not in _cache:
                _cache[key] = _load(str(name), options)
    return _cache[key]


def _fingerprints(path: Path, options: LoadOptions) -> list[tuple[str, int, int]]:
    """(real path, mtime, size) of the local files a result depends on."""
    named = [options.chat_template, options.tiktoken_model_path, options.tokenizer_config_path]
    files = [file for file in (path, *named) if file is not None and file.is_file()]
    if path.is_dir():
        files += sorted(file for file in path.iterdir() if file.is_file())
    stats = ((file.resolve(), file.stat()) for file in files)
    return [(str(file), stat.st_mtime_ns, stat.st_size) for file, stat in stats]


def _load(name: str, options: LoadOptions) -> Tokenizer:
    if name in MOCK_NAMES:
        tokenizer = MockTokenizer()
        tokenizer.chat_template = _template(options, None, {})
        return tokenizer
    if options.tiktoken_model_path is not None:
        return _load_ranks(name, options.tiktoken_model_path, options)
    path = Path(name)
    if path.is_dir():
        return _load_directory(path, options)
    if path.exists():
        return _load_file(path, options)
    if _looks_like_a_path(name):
        raise TokenizerError("not_found", f"File not found: {name}", detail=name)
    return _load_by_name(name, options)


def _looks_like_a_path(name: str) -> bool:
    return name.startswith(("/", "./", "../", "~")) or Path(name).suffix in (
        ".json",
        ".model",
        ".tiktoken",
        ".gguf",
    )


def _load_by_name(name: str, options: LoadOptions) -> Tokenizer:
    from tinker_mock.tokenizer import openai
    from tinker_mock.tokenizer.hub import fetch_tokenizer, is_offline

    if openai.is_openai_model(name):
        return openai.load_encoding(
            openai.encoding_of(name),
            offline=is_offline(options.offline),
            default_allow_special=options.allow_special_tokens,
            chat_template=_template(options, None, {}),
        )
    repo = tokenizer_id_of(name)
    directory = fetch_tokenizer(
        repo,
        revision=options.revision or REVISIONS.get(repo),
        cache_dir=options.cache_dir,
        offline=options.offline,
        token=options.token,
    )
    return _load_directory(directory, options, name=repo)


def _load_directory(path: Path, options: LoadOptions, name: str | None = None) -> Tokenizer:
    name = name or path.name
    if (path / "tokenizer.json").is_file():
        return _load_huggingface(name, path / "tokenizer.json", options)
    ranks = [path / "tiktoken.model", *sorted(path.glob("*.tiktoken"))]
    found = next((file for file in ranks if file.is_file()), None)
    if found is not None:
        return _load_ranks(name, found, options)
    raise TokenizerError(
        "not_found",
        f"Directory '{path}' does not contain a valid tokenizer file "
        "(tokenizer.json, tokenizer_config.json, or vocab.json)",
        fix="Looked for tokenizer.json, tiktoken.model and *.tiktoken.",
        detail=str(path),
    )


def _load_file(path: Path, options: LoadOptions) -> Tokenizer:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _load_huggingface(path.parent.name, path, options)
    if suffix == ".tiktoken" or path.name == "tiktoken.model":
        return _load_ranks(path.parent.name if suffix == ".model" else path.stem, path, options)
    if suffix == ".model":
        raise _unsupported("SentencePiece models not yet supported", path)
    if suffix == ".gguf":
        raise _unsupported("GGUF format not yet supported", path)
    return _load_by_content(path, options)


def _unsupported(message: str, path: Path) -> TokenizerError:
    return TokenizerError(
        "unsupported_format",
        message,
        fix="Convert the model to a Hugging Face tokenizer.json.",
        detail=str(path),
    )


def _load_by_content(path: Path, options: LoadOptions) -> Tokenizer:
    with path.open("rb") as file:
        head = file.read(512)
    if is_likely_json(head):
        return _load_huggingface(path.parent.name, path, options)
    if head.startswith(b"GGUF"):
        raise _unsupported("GGUF format detected but not yet supported", path)
    if is_likely_sentencepiece(head):
        raise _unsupported("SentencePiece model detected but not yet supported", path)
    raise TokenizerError(
        "unknown_format",
        f"Unable to determine tokenizer type for file: {path}",
        fix="Expected a tokenizer.json or a rank file.",
        detail=str(path),
    )


def is_likely_json(head: bytes) -> bool:
    """Whether a file's first bytes start an object or a list (after a BOM and white space)."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\x0c")[:1] in (b"{", b"[")


def is_likely_sentencepiece(head: bytes) -> bool:
    """Whether a file's first bytes look like a SentencePiece model."""
    if len(head) < 12:
        return False
    return head.startswith(_SENTENCEPIECE_STARTS) or any(m in head for m in _SENTENCEPIECE_MARKS)


def _json(path: Path | None) -> dict[str, Any]:
    """The object in a file beside the tokenizer; {} when there is none."""
    if path is None or not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise TokenizerError("invalid_json", f"{path} is not JSON: {error}") from error
    return value if isinstance(value, dict) else {}


def _template(
    options: LoadOptions, directory: Path | None, configuration: dict[str, Any]
) -> ChatTemplate | None:
    if options.chat_template is not None:
        return read_template(options.chat_template)
    return discover_template(directory, configuration) if directory is not None else None


def _load_huggingface(name: str, path: Path, options: LoadOptions) -> Tokenizer:
    from tinker_mock.tokenizer.huggingface import HuggingFaceTokenizer

    configuration = _json(options.tokenizer_config_path or path.with_name("tokenizer_config.json"))
    return HuggingFaceTokenizer.from_file(
        path,
        name=name,
        configuration=configuration,
        chat_template=_template(options, path.parent, configuration),
        default_allow_special=options.allow_special_tokens,
    )


def _load_ranks(name: str, path: Path, options: LoadOptions) -> Tokenizer:
    """A rank file: OpenAI's by its name, else Kimi's."""
    from tinker_mock.tokenizer import kimi, openai

    config_path = options.tokenizer_config_path or path.with_name("tokenizer_config.json")
    configuration = _json(config_path)
    template = _template(options, path.parent, configuration)
    if path.stem in openai.SPECIALS:
        return openai.load_encoding(
            path.stem,
            path,
            default_allow_special=options.allow_special_tokens,
            chat_template=template,
        )
    if not path.is_file():
        raise TokenizerError("not_found", f"File not found: {path}", detail=str(path))
    kind = configuration.get("tokenizer_class")
    known = kimi.is_kimi(configuration, _json(path.with_name("config.json")))
    if kind and not known and options.pattern is None:
        raise TokenizerError(
            "unknown_format",
            f"{path} holds ranks for a {kind}, whose splitting pattern is not known.",
            fix="Pass pattern=…, or a Hugging Face tokenizer.json.",
            detail=str(path),
        )
    use_configuration = options.kimi_table is None and config_path.is_file()
    return kimi.read_kimi(
        path,
        config_path if use_configuration else None,
        table=options.kimi_table or "k2_instruct",
        name=name,
        pattern=options.pattern or kimi.PATTERN,
        default_allow_special=options.allow_special_tokens,
        chunking=options.chunking,
        chat_template=template,
    )
