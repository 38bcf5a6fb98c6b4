"""From files to tokenizers: which kind a file or directory is, and what else it needs."""

from pathlib import Path
from typing import Any

from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.load_options import LoadOptions
from tinker_mock.tokenizer.rendering import LoadedTokenizer
from tinker_mock.tokenizer.repository import CONFIGURATION, Repository, read_object
from tinker_mock.tokenizer.template_files import discover_template, read_template
from tinker_mock.tokenizer.templates import ChatTemplate

SENTENCEPIECE_NAMES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
_SENTENCEPIECE_STARTS = (b"\x0a\x09", b"\x08\x00")
_SENTENCEPIECE_MARKS = (b"<unk", b"<s>", b"</s>")


def load_directory(path: Path, options: LoadOptions, name: str) -> LoadedTokenizer:
    """The best tokenizer a directory has: tokenizer.json, ranks, SentencePiece, vocab.json with
    merges.txt, GGUF."""
    if (path / "tokenizer.json").is_file():
        return _load_huggingface(path / "tokenizer.json", options, name)
    if ranks := _first(path / "tiktoken.model", *sorted(path.glob("*.tiktoken"))):
        return load_ranks(name, ranks, options)
    if model := _first(*(path / one for one in SENTENCEPIECE_NAMES)):
        return _load_sentencepiece(model, options, name)
    if (path / "vocab.json").is_file() and (path / "merges.txt").is_file():
        return _load_byte_pairs(path, options, name)
    files = sorted(path.glob("*.gguf"))
    if len(files) == 1:
        return _load_gguf(files[0], options, name)
    raise TokenizerError(
        "not_found",
        f"Directory '{path}' does not contain a valid tokenizer file "
        "(tokenizer.json, tokenizer_config.json, or vocab.json)",
        fix="Looked for tokenizer.json, tiktoken.model and *.tiktoken, tokenizer.model, "
        "vocab.json with merges.txt, and one *.gguf.",
        detail=str(path),
    )


def _first(*paths: Path) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def load_file(path: Path, options: LoadOptions) -> LoadedTokenizer:
    """By extension, else by content."""
    suffix, name = path.suffix.lower(), path.parent.name
    if path.name in ("vocab.json", "merges.txt") and path.with_name("merges.txt").is_file():
        return _load_byte_pairs(path.parent, options, name)
    if suffix == ".json":
        return _load_huggingface(path, options, name)
    if suffix == ".tiktoken" or path.name == "tiktoken.model":
        return load_ranks(name if suffix == ".model" else path.stem, path, options)
    if suffix == ".model":
        return _load_sentencepiece(path, options, name)
    if suffix == ".gguf":
        return _load_gguf(path, options, path.stem)
    with path.open("rb") as file:
        head = file.read(512)
    if is_likely_json(head):
        return _load_huggingface(path, options, name)
    if head.startswith(b"GGUF"):
        return _load_gguf(path, options, path.stem)
    if is_likely_sentencepiece(head):
        return _load_sentencepiece(path, options, name)
    raise TokenizerError(
        "unknown_format",
        f"Unable to determine tokenizer type for file: {path}",
        fix="Expected a tokenizer.json, a rank file, a SentencePiece model or a GGUF file.",
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


def gateway_refusal(path: Path) -> str | None:
    """What the inference gateway's first releases said to formats that they did not read, for
    comparison; None where they did."""
    suffix = path.suffix.lower()
    if suffix == ".gguf" or (suffix == ".model" and path.name != "tiktoken.model"):
        kind = "GGUF format" if suffix == ".gguf" else "SentencePiece models"
        return f"{kind} not yet supported"
    head = path.read_bytes()[:512]
    if not suffix and head.startswith(b"GGUF"):
        return "GGUF format detected but not yet supported"
    if not suffix and is_likely_sentencepiece(head):
        return "SentencePiece model detected but not yet supported"
    return None


def _beside(directory: Path, options: LoadOptions, name: str) -> dict[str, Any]:
    """What every tokenizer with files beside it is given."""
    repository = Repository.read(directory, options.path("tokenizer_config_path"))
    return {
        "name": name,
        "repository": repository,
        "chat_template": _template(options, directory, repository.configuration),
        "default_allow_special": options.allow_special_tokens,
    }


def _template(options: LoadOptions, directory: Path, configuration: Any) -> ChatTemplate | None:
    if (path := options.path("chat_template")) is not None:
        return read_template(path)
    return discover_template(directory, configuration)


def _load_huggingface(path: Path, options: LoadOptions, name: str) -> LoadedTokenizer:
    from tinker_mock.tokenizer.huggingface import HuggingFaceTokenizer

    return HuggingFaceTokenizer.read(path, **_beside(path.parent, options, name))


def _load_byte_pairs(directory: Path, options: LoadOptions, name: str) -> LoadedTokenizer:
    from tinker_mock.tokenizer.byte_pair_files import read_backend
    from tinker_mock.tokenizer.huggingface import HuggingFaceTokenizer

    beside = _beside(directory, options, name)
    backend = read_backend(directory, beside["repository"].configuration)
    return HuggingFaceTokenizer(backend, **beside)


def _load_sentencepiece(path: Path, options: LoadOptions, name: str) -> LoadedTokenizer:
    from tinker_mock.tokenizer.sentencepiece_model import SentencePieceTokenizer

    return SentencePieceTokenizer.read(path, **_beside(path.parent, options, name))


def _load_gguf(path: Path, options: LoadOptions, name: str) -> LoadedTokenizer:
    from tinker_mock.tokenizer.gguf_file import read_gguf

    given = options.path("chat_template")
    return read_gguf(
        path,
        name=name,
        chat_template=None if given is None else read_template(given),
        default_allow_special=options.allow_special_tokens,
    )


def load_ranks(name: str, path: Path, options: LoadOptions) -> LoadedTokenizer:
    """A rank file: OpenAI's by its name, else Kimi's."""
    from tinker_mock.tokenizer import kimi, openai

    config_path = options.path("tokenizer_config_path") or path.with_name(CONFIGURATION)
    configuration = read_object(config_path)
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
    known = kimi.is_kimi(configuration, read_object(path.with_name("config.json")))
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
