"""Vector components of the tokenizer subsystem: the mock, streams, stops, factory, OpenAI, hub.

Kimi's and the templates' stand in `kimi_tokenizer_components` and `template_components`.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tinker_mock.suite.vectors.kimi_tokenizer_components import COMPONENTS as KIMI
from tinker_mock.suite.vectors.piece_tokenizer import DEFINITION, PieceTokenizer
from tinker_mock.suite.vectors.runner import Chosen, Component
from tinker_mock.suite.vectors.template_components import COMPONENTS as TEMPLATES
from tinker_mock.tokenizer import (
    DecodeStream,
    StopSequenceDecoder,
    StopSequences,
    Tokenizer,
    TokenizerError,
    factory,
    hub,
    load_tokenizer,
    openai,
    text_until_stop,
    tokenizer_id_of,
)
from tinker_mock.tokenizer import Sequence as TokenSequence
from tinker_mock.tokenizer.api import decode_with, encode_with
from tinker_mock.tokenizer.mock import MockTokenizer
from tinker_mock.tokenizer.stops import Hold, Output

Entry = Mapping[str, Any]
SEED_ERA = "b7462aa77"
TEXT_FIRST = "the README's rule: what cannot become a stop is released at once"
LOSSLESS = "the older column loses text, or does not stop at the earliest match"


def _tokenizer(given: Mapping[str, Any]) -> Tokenizer:
    kinds: dict[str, Callable[[], Tokenizer]] = {"mock": MockTokenizer, "piece": PieceTokenizer}
    return kinds[given["tokenizer"]]()


def stop_decoder(given: Mapping[str, Any], entry: Entry) -> Any:
    """Follows the older column (the README's), unless its text is not the right one."""
    older = "".join(output[1] for output in _said(entry["expected"]) if len(output) > 1)
    text, _ = text_until_stop(
        _tokenizer(given), given["tokens"], _stops(given), skip_special_tokens=_skip(given)
    )
    if older == text or "expected_at_head" not in entry:
        return Chosen("expected", _decoded(given, "partial"), TEXT_FIRST)
    return Chosen("expected_at_head", _decoded(given, "window"), LOSSLESS)


def _said(expected: Mapping[str, Any]) -> list[list[str]]:
    return [*expected["outputs"], expected["flush"]]


def _skip(given: Mapping[str, Any]) -> bool:
    return bool(given.get("skip_special_tokens", True))


def _stops(given: Mapping[str, Any]) -> StopSequences:
    return StopSequences(
        frozenset(given.get("stop_tokens", ())),
        tuple(given.get("stop_sequences", ())),
        frozenset(given.get("visible_stop_tokens", ())),
        tuple(given.get("visible_stop_sequences", ())),
    )


def _decoded(given: Mapping[str, Any], hold: Hold) -> dict[str, Any]:
    decoder = StopSequenceDecoder(
        _tokenizer(given), _stops(given), skip_special_tokens=_skip(given), hold=hold
    )
    outputs = [_spelled(decoder.process(token)) for token in given["tokens"]]
    return {"outputs": outputs, "stopped": decoder.stopped, "flush": _spelled(decoder.flush())}


def _spelled(output: Output) -> list[str]:
    return (
        [output.kind, output.text]
        if output.kind.startswith(("text", "stopped_"))
        else [output.kind]
    )


def decode_stream(given: Mapping[str, Any], entry: Entry) -> Any:
    stream = DecodeStream(
        _tokenizer(given), given.get("prompt", ()), skip_special_tokens=_skip(given)
    )
    steps = [stream.step(token) for token in given["tokens"]]
    return _lossless_column(entry, {"steps": steps, "flush": stream.flush()})


def _told(column: Any) -> str:
    """The whole text of a column; "" for one that is no object (a crash, say)."""
    if not isinstance(column, Mapping):
        return ""
    return "".join(text or "" for text in [*column.get("steps", ()), column.get("flush")])


def sequence(given: Mapping[str, Any], entry: Entry) -> Any:
    tokens = TokenSequence(
        _tokenizer(given), given.get("prompt", ()), skip_special_tokens=_skip(given)
    )
    steps = [tokens.append(token) for token in given["tokens"]]
    return _lossless_column(entry, {"steps": steps, "len": len(tokens)})


def _lossless_column(entry: Entry, actual: dict[str, Any]) -> Any:
    if entry.get("same_at_head", True) or _told(entry["expected"]) == _told(actual):
        return actual
    return Chosen("expected_at_head", actual, "no character may be lost; the older code lost some")


def mock_tokenizer(given: Mapping[str, Any], entry: Entry) -> Any:
    tokenizer = MockTokenizer()
    if "encode" in given:
        return tokenizer.encode(given["encode"])
    if "decode" in given:
        return tokenizer.decode(given["decode"], skip_special_tokens=_skip(given))
    return {"vocab_size": tokenizer.vocab_size}


def mock_tokenizers(given: Any, entry: Entry) -> Any:
    return DEFINITION


def tokenizer_factory(given: Mapping[str, Any], entry: Entry) -> Any:
    if "bytes_utf8" in given or "bytes_hex" in given:
        head = given.get("bytes_utf8", "").encode() or bytes.fromhex(given.get("bytes_hex", ""))
        return factory.is_likely_json(head)
    if "paths" in given:
        kinds = {type(load_tokenizer(path)).__name__ for path in given["paths"]}
        return kinds.pop() if len(kinds) == 1 else sorted(kinds)
    if "names" in given:
        return {name: _routing(name, entry) for name in given["names"]}
    return _load_error(given["path"])


def _routing(name: str, entry: Entry) -> Any:
    """One name's way, in the shape the entry asks for; by the older rule if it is its source."""
    if SEED_ERA in entry["source"]:
        routed, encoding = openai.gateway_heuristic(name)
        encoding = (encoding or "error: Unrecognized OpenAI model name") if routed else None
    else:
        routed = openai.is_openai_model(name)
        encoding = openai.encoding_of(name) if routed else None
    wanted = entry["expected"].get(name)
    if isinstance(wanted, Mapping):
        return {
            key: routed if isinstance(value, bool) else encoding for key, value in wanted.items()
        }
    return routed if isinstance(wanted, bool) else encoding


# Files the vectors describe in words, by a word of the description.
DESCRIBED = {
    "undetectable": b"neither this nor that",
    "gguf": b"GGUF\x03\x00\x00\x00",
    "sentencepiece": b"\x0a\x09\x0a\x05<unk>\x15\x00\x00\x00\x00",
    "<unk": b"............<unk>............",
    "<s>": b"............<s>............",
    "</s>": b"............</s>............",
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
        try:
            return type(load_tokenizer(target)).__name__
        except TokenizerError as error:
            return {"error": error.message.replace(str(target), shown)}


def tiktoken_models(given: Mapping[str, Any], entry: Entry) -> Any:
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


def hugging_face(given: Mapping[str, Any], entry: Entry) -> Any:
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
    "stop_decoder": stop_decoder,
    "decode_stream": decode_stream,
    "sequence": sequence,
    "mock_tokenizer": mock_tokenizer,
    "mock_tokenizers": mock_tokenizers,
    "tokenizer_factory": tokenizer_factory,
    "tiktoken_models": tiktoken_models,
    "hub_filter": hub_filter,
    "HuggingFace": hugging_face,
    "Tokenizer": tokenizer_api,
    **KIMI,
    **TEMPLATES,
}
