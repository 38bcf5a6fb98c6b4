"""From a name to a tokenizer: kinds of files, names of models, the hub, and what is refused."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tinker_mock.suite.vectors.comparison import Component
from tinker_mock.tokenizer import (
    TokenizerError,
    file_kinds,
    hub,
    load_tokenizer,
    openai,
    tokenizer_id_of,
)
from tinker_mock.tokenizer.api import decode_with, encode_with

Entry = Mapping[str, Any]
SEED_ERA = "b7462aa77"


def tokenizer_factory(given: Entry, entry: Entry) -> Any:
    if "bytes_utf8" in given:
        return file_kinds.is_likely_json(given["bytes_utf8"].encode())
    if "paths" in given:
        kinds = {type(load_tokenizer(path)).__name__ for path in given["paths"]}
        return kinds.pop() if len(kinds) == 1 else sorted(kinds)
    if "names" in given:
        return {name: _routing(name) for name in given["names"]}
    return _load_error(given["path"])


def _routing(name: str) -> dict[str, Any]:
    """Whether the gateway took a model's name for OpenAI's, and with which encoding."""
    routed, encoding = openai.gateway_heuristic(name)
    told = (encoding or "error: Unrecognized OpenAI model name") if routed else None
    return {"routes_to_tiktoken": routed, "encoding": told}


# Files the vectors describe in words, by a word of the description.
DESCRIBED = {
    "undetectable": b"neither this nor that",
    "gguf": b"GGUF\x03\x00\x00\x00",
}


def _load_error(path: str) -> Any:
    """What loading says, with paths as the vectors write them."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory)
        shown = "<dir>"
        if path.startswith("/"):
            target, shown = Path(path), path
        elif not path.startswith("<dir"):
            described = (data for word, data in DESCRIBED.items() if word in path.lower())
            content = next(described, b"\x01\x02")
            target = Path(directory, path if " " not in path else "file")
            target.write_bytes(content)
            shown = "<path>"
            if refused := file_kinds.gateway_refusal(target):
                return {"error": refused}
        try:
            return type(load_tokenizer(target)).__name__
        except TokenizerError as error:
            return {"error": error.message.replace(str(target), shown)}


def tiktoken_models(given: Entry, entry: Entry) -> Any:
    if "model" not in given:
        return {name: openai.GATEWAY_SIZES.get(name) for name in entry["expected"]}
    if SEED_ERA in entry["source"] and isinstance(entry["expected"], str):
        return openai.gateway_heuristic(given["model"])[1]
    try:
        return openai.encoding_of(given["model"])
    except TokenizerError as error:
        return {"error": error.message}


def hub_filter(given: str, entry: Entry) -> bool:
    question, _, _ = entry["name"].partition(":")
    questions: dict[str, Callable[[str], bool]] = {
        "is_tokenizer_file": hub.is_tokenizer_file,
        "is_weight_file": hub.is_weight_file,
        "is_chat_template_file": hub.is_chat_template_file,
    }
    return questions[question](given)


def hugging_face(given: Entry, entry: Entry) -> Any:
    repo, revision = given["repo"], given.get("revision", "main")
    if "cache_dir" in given:
        return str(hub.flat_path(Path(given["cache_dir"]), repo, revision, given["file"]))
    if "file" in given:
        return hub.file_url(repo, revision, given["file"])
    root = Path("<cache_dir>")
    path = hub.flat_path(root, repo, revision, "f")
    segment = path.relative_to(root / "hf").parts[0]
    return {"repo_segment": segment, "stays_under": str(path.parents[2])}


def tokenizer_api(given: Any, entry: Entry) -> Any:
    """The names of models, and what `encode` and `decode` refuse."""
    if isinstance(given, str):
        return tokenizer_id_of(given)
    if "fn" not in given:
        return tokenizer_id_of(given["model"])
    calls: dict[str, Callable[[], Any]] = {
        "encode": lambda: encode_with(given.get("model"), given.get("text")),
        "decode": lambda: decode_with(given.get("model"), given.get("ids")),
        "get_or_load_tokenizer": lambda: load_tokenizer(given.get("id")),
    }
    try:
        return calls[given["fn"]]()
    except TokenizerError as error:
        return {"type": error.code, "message": error.message}


COMPONENTS: dict[str, Component] = {
    "tokenizer_factory": tokenizer_factory,
    "tiktoken_models": tiktoken_models,
    "hub_filter": hub_filter,
    "HuggingFace": hugging_face,
    "Tokenizer": tokenizer_api,
}
