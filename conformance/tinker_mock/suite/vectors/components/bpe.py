"""Byte pair encoding with ranks and special tokens of an entry's own."""

from collections.abc import Mapping
from typing import Any

from tinker_mock.suite.vectors.comparison import Component
from tinker_mock.tokenizer import TokenizerError
from tinker_mock.tokenizer.bpe import BytePairEncoder

Given = Mapping[str, Any]


def _encoder(given: Given) -> BytePairEncoder:
    ranks = {token.encode(): rank for token, rank in given["ranks"].items()}
    pattern = given.get("pat_str") or given.get("pat") or ".+"
    return BytePairEncoder(ranks, pattern, given.get("special"))


def _decode_errors(encoder: BytePairEncoder, lists: list[list[Any]]) -> list[TokenizerError]:
    errors = []
    for ids in lists:
        try:
            encoder.decode_bytes(ids)
        except TokenizerError as error:
            errors.append(error)
    return errors


def bpe(given: Given, entry: Given) -> Any:
    """Errors as [code, detail], as the Elixir library gives them."""
    encoder = _encoder(given)
    if "ids" in given:
        return [[error.code, error.detail] for error in _decode_errors(encoder, given["ids"])]
    try:
        ids = encoder.encode(given["text"])
    except TokenizerError as error:
        detail = error.detail.decode() if isinstance(error.detail, bytes) else error.detail
        return {"error": [error.code, detail]}
    actual: dict[str, Any] = {"ids": ids}
    if "decoded" in entry["expected"]:
        actual["decoded"] = encoder.decode_bytes(ids).decode("utf-8", "replace")
    return actual


def bpe_toy(given: Given, entry: Given) -> Any:
    """Errors as {"error": code}."""
    encoder = _encoder(given)
    if "decode" in given:
        return [{"error": error.code} for error in _decode_errors(encoder, given["decode"])]
    return encoder.encode(given["text"])


COMPONENTS: dict[str, Component] = {"BPE": bpe, "bpe_toy": bpe_toy}
