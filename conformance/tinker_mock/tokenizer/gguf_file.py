"""The tokenizer inside a GGUF file (llama.cpp's format), read by the `gguf` library."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinker_mock.tokenizer.byte_pair_files import LLAMA3, QWEN2, byte_pair_backend
from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.extras import imported
from tinker_mock.tokenizer.huggingface import HuggingFaceTokenizer
from tinker_mock.tokenizer.rendering import LoadedTokenizer
from tinker_mock.tokenizer.repository import Repository, Token
from tinker_mock.tokenizer.sentencepiece_model import SentencePieceTokenizer, read_processor
from tinker_mock.tokenizer.templates import ChatTemplate

KEYS = "tokenizer.ggml."
# How texts are split before merging, by `tokenizer.ggml.pre`; None is GPT-2's way.
SPLITS: dict[str, str | None] = {
    **dict.fromkeys(("gpt-2", "default", "gpt2", "olmo", "jina-v2-code"), None),
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe"), LLAMA3),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "stablelm2"), QWEN2),
}
CONTROL, USER_DEFINED = 3, 4
UNIGRAM, BPE = 1, 2


def read_gguf(path: Path, *, chat_template: ChatTemplate | None, **options: Any) -> LoadedTokenizer:
    """Raises TokenizerError `missing_package`, `invalid_gguf`, or `unsupported_format` for a kind
    of tokenizer that is not known here."""
    fields = _fields(path)
    kind = fields.get(f"{KEYS}model")
    if not isinstance(fields.get(f"{KEYS}tokens"), list):
        raise TokenizerError("invalid_gguf", f"{path} holds no tokenizer.", detail=str(path))
    source = fields.get("tokenizer.chat_template")
    if chat_template is None and isinstance(source, str):
        chat_template = ChatTemplate(source, str(path))
    options = {"chat_template": chat_template, **options}
    if kind == "gpt2":
        return _byte_pairs(path, fields, options)
    if kind in ("llama", "t5"):
        return _pieces(path, fields, BPE if kind == "llama" else UNIGRAM, options)
    raise _unknown(path, f"{KEYS}model", kind)


def _unknown(path: Path, key: str, value: Any) -> TokenizerError:
    return TokenizerError(
        "unsupported_format",
        f"{path} has a tokenizer that is not known here ({key} is {value!r}).",
        fix="Use the model's tokenizer.json.",
        detail=str(path),
    )


def _fields(path: Path) -> dict[str, Any]:
    gguf = imported("gguf", "GGUF files")
    try:
        reader = gguf.GGUFReader(path)
    except Exception as error:  # the library raises what NumPy and struct do
        raise TokenizerError("invalid_gguf", f"{path} is no GGUF file: {error}") from error
    names = [name for name in reader.fields if name.startswith("tokenizer.")]
    return {name: reader.fields[name].contents() for name in names}


def _roles(fields: Mapping[str, Any]) -> dict[str, str]:
    keys = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding", "sep": "seperator"}
    tokens = fields[f"{KEYS}tokens"]
    ids = {role: fields.get(f"{KEYS}{key}_token_id") for role, key in keys.items()}
    known = {role: i for role, i in ids.items() if i is not None and 0 <= i < len(tokens)}
    return {f"{role}_token": tokens[i] for role, i in known.items()}


def _repository(fields: Mapping[str, Any], *, listed: bool) -> Repository:
    tokens = fields[f"{KEYS}tokens"]
    kinds = fields.get(f"{KEYS}token_type") or [1] * len(tokens)
    found = [
        Token(text, {"special": kind == CONTROL, "normalized": False})
        for text, kind in zip(tokens, kinds, strict=True)
        if kind in (CONTROL, USER_DEFINED)
    ]
    named = {role: Token(text) for role, text in _roles(fields).items()}
    return Repository({}, named, tuple(found) if listed else (), silent=False)


def _byte_pairs(path: Path, fields: Mapping[str, Any], options: dict[str, Any]) -> LoadedTokenizer:
    split = fields.get(f"{KEYS}pre", "default")
    if split not in SPLITS:
        raise _unknown(path, f"{KEYS}pre", split)
    vocabulary = {token: i for i, token in enumerate(fields[f"{KEYS}tokens"])}
    merges = [_pair(line) for line in fields.get(f"{KEYS}merges") or []]
    pattern = SPLITS[split]
    backend = byte_pair_backend(vocabulary, merges, pattern, ignore_merges=pattern == LLAMA3)
    return HuggingFaceTokenizer(backend, repository=_repository(fields, listed=True), **options)


def _pair(line: str) -> tuple[str, str]:
    first, _, second = line.partition(" ")
    return first, second


def _pieces(
    path: Path, fields: Mapping[str, Any], kind: int, options: dict[str, Any]
) -> SentencePieceTokenizer:
    """The SentencePiece model that was converted, put together again."""
    messages = imported("sentencepiece.sentencepiece_model_pb2", "GGUF files of Llama's kind")
    model = messages.ModelProto()
    tokens = fields[f"{KEYS}tokens"]
    scores = fields.get(f"{KEYS}scores") or [0.0] * len(tokens)
    kinds = fields.get(f"{KEYS}token_type") or [1] * len(tokens)
    for token, score, its_kind in zip(tokens, scores, kinds, strict=True):
        model.pieces.add(piece=token, score=score, type=its_kind)
    model.trainer_spec.model_type = kind
    model.trainer_spec.byte_fallback = 6 in kinds
    for role in ("bos", "eos", "unk", "pad"):
        key = {"unk": "unknown", "pad": "padding"}.get(role, role)
        value = fields.get(f"{KEYS}{key}_token_id")
        setattr(model.trainer_spec, f"{role}_id", -1 if value is None else int(value))
        if value is not None:
            setattr(model.trainer_spec, f"{role}_piece", tokens[int(value)])
    normalizer = model.normalizer_spec
    normalizer.name = "identity"
    normalizer.add_dummy_prefix = bool(fields.get(f"{KEYS}add_space_prefix", True))
    normalizer.remove_extra_whitespaces = bool(
        fields.get(f"{KEYS}remove_extra_whitespaces", kind == UNIGRAM)
    )
    if charsmap := fields.get(f"{KEYS}precompiled_charsmap"):
        normalizer.precompiled_charsmap = bytes(charsmap)
    adds = (
        bool(fields.get(f"{KEYS}add_bos_token", kind == BPE)),
        bool(fields.get(f"{KEYS}add_eos_token", kind == UNIGRAM)),
    )
    processor = read_processor(model.SerializeToString(), str(path))
    repository = _repository(fields, listed=False)
    return SentencePieceTokenizer(processor, repository=repository, adds=adds, **options)
