"""OpenAI's encodings and which model uses which.

The map is strict (tiktoken's own list of names and prefixes): a name that only looks like an
OpenAI model is none. `gpt-oss` models are Hugging Face models and not in it.
"""

import os
from pathlib import Path

import tiktoken
from tiktoken.model import encoding_name_for_model

from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.protocols import SpecialTokens
from tinker_mock.tokenizer.ranked import RankedTokenizer
from tinker_mock.tokenizer.ranks import read_ranks
from tinker_mock.tokenizer.templates import ChatTemplate

END = "<|endoftext|>"
_FIM = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
SPECIALS: dict[str, dict[str, int]] = {
    "r50k_base": {END: 50256},
    "p50k_base": {END: 50256},
    "p50k_edit": {END: 50256, **{text: 50281 + i for i, text in enumerate(_FIM)}},
    "cl100k_base": {
        END: 100257,
        **{text: 100258 + i for i, text in enumerate(_FIM)},
        "<|endofprompt|>": 100276,
    },
    "o200k_base": {END: 199999, "<|endofprompt|>": 200018},
}
RANK_FILES = {name: name for name in SPECIALS} | {"p50k_edit": "p50k_base"}

# The sizes the inference gateway reports; its cl100k counts ranks only, without specials.
GATEWAY_SIZES = {
    "cl100k_base": 100256,
    "p50k_base": 50281,
    "p50k_edit": 50281,
    "r50k_base": 50257,
    "o200k_base": 200019,
}

_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = "|".join(
    (
        rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}]*"
        rf"[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]+{_CONTRACTION}",
        rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}]+"
        rf"[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}]*{_CONTRACTION}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
PATTERNS = dict.fromkeys(("r50k_base", "p50k_base", "p50k_edit"), _GPT2)
PATTERNS |= {"cl100k_base": _CL100K, "o200k_base": _O200K}


def is_openai_model(name: str) -> bool:
    """Whether `encoding_of` knows the name."""
    try:
        encoding_of(name)
    except TokenizerError:
        return False
    return True


def encoding_of(name: str) -> str:
    """The encoding of an OpenAI model, with or without the prefix "openai/"."""
    bare = name.removeprefix("openai/")
    try:
        encoding = encoding_name_for_model(bare)
    except KeyError:
        encoding = ""
    if encoding not in SPECIALS:
        raise TokenizerError(
            "unknown_model",
            f"Unrecognized OpenAI model name: '{name}'. Expected GPT-3, GPT-3.5, GPT-4, or "
            "related model names",
            fix="For other models give a path or a Hugging Face id.",
            detail=name,
        )
    return encoding


def gateway_heuristic(name: str) -> tuple[bool, str | None]:
    """How the inference gateway's first releases routed a name, for comparison: whether it went
    to tiktoken, and the encoding (None: its error). By substrings, with the false positives that
    brings: `adapter-v2` was an OpenAI model to it."""
    routed = any(part in name for part in ("gpt-", "davinci", "curie", "babbage", "ada"))
    rules = (
        (("gpt-4", "gpt-3.5", "turbo"), "cl100k_base"),
        (("davinci-002", "davinci-003", "codex"), "p50k_base"),
        (("edit",), "p50k_edit"),
        (("davinci", "curie", "babbage", "ada"), "r50k_base"),
    )
    found = (encoding for parts, encoding in rules if any(part in name for part in parts))
    return routed, next(found, None)


def load_encoding(
    encoding: str,
    ranks_path: Path | None = None,
    *,
    offline: bool = False,
    default_allow_special: bool = True,
    chat_template: ChatTemplate | None = None,
) -> RankedTokenizer:
    """An OpenAI encoding, from a rank file or (not offline, or cached) by tiktoken's download."""
    if ranks_path is not None:
        ranks = read_ranks(ranks_path)
    elif offline and not _is_cached():
        raise TokenizerError(
            "offline",
            f"The ranks of {encoding} are not on this machine, and downloads are off.",
            fix=f"Give tiktoken_model_path=…/{RANK_FILES[encoding]}.tiktoken "
            "or set TIKTOKEN_CACHE_DIR.",
        )
    else:
        ranks = _downloaded_ranks(encoding)
    return RankedTokenizer(
        encoding,
        ranks,
        PATTERNS[encoding],
        SPECIALS[encoding],
        special_tokens=SpecialTokens(bos=END, eos=END, pad=END, ids=SPECIALS[encoding]),
        default_allow_special=default_allow_special,
        chat_template=chat_template,
    )


def _is_cached() -> bool:
    directory = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    return bool(directory) and Path(directory or "").is_dir()


def _downloaded_ranks(encoding: str) -> dict[bytes, int]:
    try:
        ranks: dict[bytes, int] = tiktoken.get_encoding(RANK_FILES[encoding])._mergeable_ranks
    except Exception as error:
        raise TokenizerError(
            "download_failed",
            f"The ranks of {encoding} could not be downloaded: {error}",
            fix="Set TIKTOKEN_CACHE_DIR to a directory that has them.",
        ) from error
    return ranks
