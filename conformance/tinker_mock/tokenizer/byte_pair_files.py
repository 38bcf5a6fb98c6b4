"""Byte-level BPE written out as vocab.json and merges.txt, for the classes that split so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Regex, decoders, normalizers, pre_tokenizers, processors
from tokenizers import Tokenizer as Backend
from tokenizers.models import BPE

from tinker_mock.tokenizer.errors import TokenizerError

LIKE_GPT2 = ("GPT2", "CodeGen", "GPTNeoX", "Blenderbot")
LIKE_ROBERTA = ("Roberta", "Longformer", "LED", "Bart", "MVP")
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3 = QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def read_backend(directory: Path, configuration: Mapping[str, Any]) -> Backend:
    """Raises TokenizerError `unknown_format` for a class whose splitting is not known here, and
    `invalid_tokenizer_json` for files that do not go together."""
    kind = str(configuration.get("tokenizer_class") or "GPT2Tokenizer")
    name = kind.removesuffix("Fast").removesuffix("Tokenizer")
    if name not in (*LIKE_GPT2, *LIKE_ROBERTA, "Qwen2"):
        raise TokenizerError(
            "unknown_format",
            f"{directory} has vocab.json and merges.txt of a {kind}, whose splitting is not known.",
            fix="Use its tokenizer.json.",
            detail=str(directory),
        )
    try:
        files = (str(directory / "vocab.json"), str(directory / "merges.txt"))
        vocabulary, merges = BPE.read_file(*files)
        backend = byte_pair_backend(vocabulary, merges, QWEN2 if name == "Qwen2" else None)
        if name == "Qwen2":
            backend.normalizer = normalizers.NFC()
        elif configuration.get("add_prefix_space"):
            backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        if name in LIKE_ROBERTA:
            backend.post_processor = _roberta(backend, configuration)
    except TokenizerError:
        raise
    except Exception as error:  # the library raises bare Exceptions
        raise TokenizerError(
            "invalid_tokenizer_json", f"{directory}: vocab.json and merges.txt: {error}"
        ) from error
    return backend


def byte_pair_backend(
    vocabulary: dict[str, int],
    merges: list[tuple[str, str]],
    pattern: str | None,
    *,
    ignore_merges: bool = False,
) -> Backend:
    """A byte-level tokenizer; without a pattern texts are split as GPT-2 does."""
    backend = Backend(BPE(vocab=vocabulary, merges=merges, ignore_merges=ignore_merges))
    if pattern is None:
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    backend.decoder = decoders.ByteLevel()
    return backend


def _roberta(backend: Backend, configuration: Mapping[str, Any]) -> Any:
    texts = [configuration.get(role) or text for role, text in
             (("sep_token", "</s>"), ("cls_token", "<s>"))]  # fmt: skip
    sep, cls = [text["content"] if isinstance(text, dict) else text for text in texts]
    ids = backend.token_to_id(sep), backend.token_to_id(cls)
    if ids[0] is None or ids[1] is None:
        raise TokenizerError("invalid_special_tokens", f"{sep} and {cls} are not in vocab.json.")
    return processors.RobertaProcessing(
        (sep, ids[0]),
        (cls, ids[1]),
        trim_offsets=True,
        add_prefix_space=bool(configuration.get("add_prefix_space")),
    )
