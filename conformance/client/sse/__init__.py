"""Server-sent events."""

from .decoder import SseDecoder, SseEvent, decoder_for, event_json

__all__ = ["SseDecoder", "SseEvent", "decoder_for", "event_json"]
