"""Tokenizers: Hugging Face, tiktoken, Kimi K2 and a mock behind one facade.

    from tinker_mock.tokenizer import load_tokenizer
    tokenizer = load_tokenizer("models/kimi_k2")
    tokenizer.decode(tokenizer.encode("Hello"))

See README.md beside this file. What needs the extra `text` is imported when it is asked for: stop
strings and streams do without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tinker_mock.tokenizer.encodings import Encoding
from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.model_ids import tokenizer_id_of
from tinker_mock.tokenizer.protocols import Decoder, Encoder, SpecialTokens, Tokenizer
from tinker_mock.tokenizer.stops import (
    Output,
    StopScanner,
    StopSequenceDecoder,
    StopSequenceDecoderBuilder,
    StopSequences,
    text_until_stop,
)
from tinker_mock.tokenizer.streams import DecodeStream, Sequence

if TYPE_CHECKING:
    from tinker_mock.tokenizer.factory import load_tokenizer, load_tokenizer_async
    from tinker_mock.tokenizer.load_options import LoadOptions
    from tinker_mock.tokenizer.rendering import LoadedTokenizer
    from tinker_mock.tokenizer.template_format import content_format
    from tinker_mock.tokenizer.templates import ChatTemplate, variables_of

__all__ = [
    "ChatTemplate",
    "DecodeStream",
    "Decoder",
    "Encoder",
    "Encoding",
    "LoadOptions",
    "LoadedTokenizer",
    "Output",
    "Sequence",
    "SpecialTokens",
    "StopScanner",
    "StopSequenceDecoder",
    "StopSequenceDecoderBuilder",
    "StopSequences",
    "Tokenizer",
    "TokenizerError",
    "content_format",
    "load_tokenizer",
    "load_tokenizer_async",
    "text_until_stop",
    "tokenizer_id_of",
    "variables_of",
]

_LATER = {
    "ChatTemplate": "templates",
    "LoadOptions": "load_options",
    "LoadedTokenizer": "rendering",
    "content_format": "template_format",
    "load_tokenizer": "factory",
    "load_tokenizer_async": "factory",
    "variables_of": "templates",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = value
    return value
