"""Tokenizers: Hugging Face, tiktoken, Kimi K2 and a mock behind one facade.

    from conformance.tokenizer import load_tokenizer
    tokenizer = load_tokenizer("models/kimi_k2")
    tokenizer.decode(tokenizer.encode("Hello"))

See README.md beside this file.
"""

from conformance.tokenizer.errors import TokenizerError
from conformance.tokenizer.factory import LoadOptions, load_tokenizer
from conformance.tokenizer.model_ids import tokenizer_id_of
from conformance.tokenizer.protocols import Decoder, Encoder, SpecialTokens, Tokenizer
from conformance.tokenizer.stops import (
    Output,
    StopScanner,
    StopSequenceDecoder,
    StopSequences,
    text_until_stop,
)
from conformance.tokenizer.streams import DecodeStream, Sequence
from conformance.tokenizer.template_format import content_format
from conformance.tokenizer.templates import ChatTemplate

__all__ = [
    "ChatTemplate",
    "DecodeStream",
    "Decoder",
    "Encoder",
    "LoadOptions",
    "Output",
    "Sequence",
    "SpecialTokens",
    "StopScanner",
    "StopSequenceDecoder",
    "StopSequences",
    "Tokenizer",
    "TokenizerError",
    "content_format",
    "load_tokenizer",
    "text_until_stop",
    "tokenizer_id_of",
]
