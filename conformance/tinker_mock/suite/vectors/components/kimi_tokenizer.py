"""Kimi's tokenizer with the real ranks, the toy ones, or files of an entry's own."""

import ast
import hashlib
import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tinker_mock.contracts.locations import ROOT
from tinker_mock.suite.vectors.comparison import Chosen, Component
from tinker_mock.tokenizer import TokenizerError
from tinker_mock.tokenizer.bpe import BytePairEncoder
from tinker_mock.tokenizer.chunking import split_runs
from tinker_mock.tokenizer.kimi import (
    NAMED_SLOTS,
    PATTERN,
    KimiTokenizer,
    is_kimi,
    kimi_from_files,
    read_kimi,
)
from tinker_mock.tokenizer.ranks import read_ranks

Given = Mapping[str, Any]


# The vectors' names of special-token tables; any other means the shipped configuration.
TABLES = {"k2_instruct": "k2_instruct", "k2_thinking": "k2_thinking", "k2_thinking_k25": "k25"}


def tokenizer_file(*parts: str) -> Path:
    """A file of the shared tokenizers; FileNotFoundError names the variable to set."""
    default = ROOT.parent / "shared" / "tokenizers"
    root = Path(os.environ.get("TINKER_MOCK_TOKENIZERS") or default)
    path = root.joinpath(*parts)
    if not path.exists():
        raise FileNotFoundError(f"{path} (TINKER_MOCK_TOKENIZERS names the directory)")
    return path


@cache
def real_tokenizer(table: str | None = None, chunking: bool = False) -> KimiTokenizer:
    """The real ranks, with the special tokens of a published table or (None) the shipped file."""
    model = tokenizer_file("kimi_k2", "tiktoken.model")
    if table is None:
        config = tokenizer_file("kimi_k2", "tokenizer_config.json")
        return read_kimi(model, config, chunking=chunking)
    return KimiTokenizer(read_ranks(model), table=table, chunking=chunking)


@cache
def toy_tokenizer(chunking: bool = False) -> KimiTokenizer:
    model = tokenizer_file("kimi_toy", "tiktoken.model")
    config = tokenizer_file("kimi_toy", "tokenizer_config.json")
    return read_kimi(model, config, chunking=chunking)


def _compact_digest(ids: list[int]) -> str:
    return hashlib.sha256(json.dumps(ids, separators=(",", ":")).encode()).hexdigest()


def _repeated(rule: str) -> str:
    """`'ab'*30 + "c"` as text: literals, repetition and joining, nothing else."""
    return str(_value(ast.parse(rule, mode="eval").body))


def _value(node: ast.expr) -> Any:
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _value(left) * _value(right)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _value(left) + _value(right)
    return ast.literal_eval(node)


def kimi_tokenization(given: Given, entry: Given) -> Any:
    table = TABLES.get(given.get("special_table", ""))
    tokenizer = real_tokenizer(table)
    if "text_rule" in given:
        return _long(_repeated(given["text_rule"]), table)
    if "ids" in given:
        return _decodings(tokenizer, given["ids"], entry["expected"])
    if "text" in given:
        return _encoding(tokenizer, given, entry["expected"])
    facts = _facts(entry["expected"])
    return Chosen("expected", facts, RECORDED) if facts.keys() <= GOLDEN_COUNTS.keys() else facts


def _encoding(tokenizer: KimiTokenizer, given: Given, expected: Given) -> dict[str, Any]:
    ids = tokenizer.encode(given["text"], allow_special_tokens=given.get("allow_special_tokens"))
    actual: dict[str, Any] = {"ids": ids}
    if "decoded" in expected:
        actual["decoded"] = tokenizer.decode(ids)
    if "count" in expected:
        actual["count"] = len(ids)
    if "pairs" in expected:
        actual["pairs"] = {text: tokenizer.token_to_id(text) for text in expected["pairs"]}
    return actual


def _decodings(tokenizer: KimiTokenizer, ids: list[int], expected: Given) -> dict[str, Any]:
    known = {
        "text": tokenizer.decode(ids),
        "decoded": tokenizer.decode(ids),
        "prefix_decodes": [tokenizer.decode(ids[:end]) for end in range(1, len(ids) + 1)],
        "bytes_hex": [tokenizer.token_bytes(token).hex() for token in ids],
    }
    return {key: value for key, value in known.items() if key in expected}


def _long(text: str, table: str | None) -> dict[str, Any]:
    ids = real_tokenizer(table, chunking=True).encode(text)
    return {
        "count": len(ids),
        "sha256_of_compact_json": _compact_digest(ids),
        "unchunked_count": len(real_tokenizer(table).encode(text)),
        "first": ids[:5],
        "last": ids[-5:],
    }


def _facts(expected: Given) -> dict[str, Any]:
    """What is asked of the rank file and the specials: sizes, or ids by text."""
    tokenizer = real_tokenizer()
    content = tokenizer_file("kimi_k2", "tiktoken.model").read_bytes()
    lines = content.decode().splitlines()
    known: dict[str, Any] = {
        "base": tokenizer.base,
        "specials": tokenizer.vocab_size - tokenizer.base,
        "vocab": tokenizer.vocab_size,
        "rank_file_bytes": len(content),
        "rank_file_sha256": hashlib.sha256(content).hexdigest(),
        "rank_file_lines": len(lines),
        "first_line": lines[0],
        "last_line": lines[-1],
        **GOLDEN_COUNTS,
    }
    return {key: known[key] if key in known else tokenizer.token_to_id(key) for key in expected}


# Sizes of three golden files of an independent implementation. Their texts are other people's and
# not kept; what was compared with them stands in the entries named kitoken_*.
RECORDED = "recorded when the vectors were made; the files are not kept, so nothing is run"
GOLDEN_COUNTS = {"small_lines": 20, "mixed_lines": 120, "utf8_tokens": 5706}


def kimi_pretokenization(given: Given, entry: Given) -> list[str]:
    return _pieces(given["text"])


def _pieces(text: str) -> list[str]:
    return BytePairEncoder({}, PATTERN).pieces(text)


def kimi_toy(given: Given, entry: Given) -> dict[str, Any]:
    tokenizer = toy_tokenizer()
    allow = given.get("allow_special_tokens", True)
    ids = tokenizer.encode(given["text"], allow_special_tokens=allow)
    # The pieces are of interest only where no special token cuts the text.
    plain = allow is False or ids == tokenizer.encode(given["text"], allow_special_tokens=False)
    pieces = tokenizer.pieces(given["text"]) if plain else None
    return {"ids": ids, "decoded": tokenizer.decode(ids), "pieces": pieces}


def kimi_long(given: Given, entry: Given) -> dict[str, Any]:
    text = _repeated(given["repeat"])
    whole, cut = toy_tokenizer().encode(text), toy_tokenizer(chunking=True).encode(text)
    digests = [{"n": len(ids), "sha256_of_json_ids": _compact_digest(ids)} for ids in (whole, cut)]
    return {
        "tinkex_no_chunking": digests[0],
        "moonshot_wrapper_25k_400k_chunking": digests[1],
        "equal": whole == cut,
    }


def kimi_split_runs(given: Given, entry: Given) -> list[str]:
    return split_runs(given["s"], given["max_run"])


def _files(given: Given) -> dict[str, str]:
    """The two files an entry describes, under either of the spellings in use."""
    config = given.get("tokenizer_config.json", given.get("tokenizer_config"))
    if config is None:
        named = given.get("added_tokens_decoder", {})
        config = {"added_tokens_decoder": {key: {"content": text} for key, text in named.items()}}
    return {
        "tiktoken.model": given.get("tiktoken.model", given.get("tiktoken_model")),
        "tokenizer_config.json": config if isinstance(config, str) else json.dumps(config),
    }


def kimi_files(given: Given, entry: Given) -> Any:
    """What makes files Kimi's, which of them are refused, and which ids they define."""
    if "cases" in given:
        return [_is_kimi_case(case) for case in given["cases"]]
    files = _files(given)
    try:
        tokenizer = kimi_from_files(lambda name: files[name].encode())
    except TokenizerError as error:
        return {"error": error.code}
    expected = entry["expected"]
    ids = {key: int(key.removeprefix("decode_")) for key in expected if key.startswith("decode_")}
    return {
        "vocab_size": tokenizer.vocab_size,
        "token_to_id": {token: tokenizer.token_to_id(token) for token in expected["token_to_id"]},
        **{key: tokenizer.decode([token]) for key, token in ids.items()},
    }


def _is_kimi_case(case: str) -> bool:
    """A case in words: "auto_map mentions X", "auto_map X", "config.json model_type X"."""
    value = case.split()[-1]
    if "model_type" in case:
        return is_kimi({}, {"model_type": value})
    return is_kimi({"auto_map": {"AutoTokenizer": [value, None]}})


def kimi_tokenizer(given: Any, entry: Given) -> Any:
    if isinstance(given, str):
        return _pieces(given)
    if "model" in given:
        base = real_tokenizer().base
        slots = NAMED_SLOTS["k25"]
        return {name: base + slots[name] for name in entry["expected"]}
    files = _files(given)
    fetched: list[str] = []

    def fetch(name: str) -> bytes:
        fetched.append(name)
        return files[name].encode()

    try:
        tokenizer = kimi_from_files(fetch)
    except TokenizerError as error:
        return {"error": error.code}
    if "ids" in given:
        return tokenizer.decode(given["ids"])
    actual: dict[str, Any] = {"ids": tokenizer.encode(given["text"])}
    if "fetch_order" in entry["expected"]:
        actual["fetch_order"] = fetched
    return actual


COMPONENTS: dict[str, Component] = {
    "kimi_tokenization": kimi_tokenization,
    "kimi_pretokenization": kimi_pretokenization,
    "kimi_files": kimi_files,
    "KimiTokenizer": kimi_tokenizer,
    "KimiTokenizer.toy": kimi_toy,
    "KimiTokenizer.long": kimi_long,
    "KimiTokenizer.split_runs": kimi_split_runs,
}
