"""Turns in OpenAI's shapes: whole answers and chunks."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.server.text.events import CallArguments, CallBegun, Ended, Event, TextDelta
from tinker_mock.server.text.generation import Token
from tinker_mock.server.text.quirks import split_delta
from tinker_mock.server.text.text_model import TextModel
from tinker_mock.server.wire import sse

Json = dict[str, Any]


@dataclass
class Usage:
    """Tokens of a request; the prompt counts once, whatever `n`."""

    prompt: int
    completion: int = 0
    reasoning: int = 0

    def count(self, tokens: int, thoughts: int) -> None:
        """Count one choice."""
        self.completion += tokens
        self.reasoning += thoughts

    def as_json(self) -> Json:
        """The wire object."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


@dataclass(frozen=True)
class Envelope:
    """What every object of one answer repeats."""

    id: str
    created: int
    model: TextModel
    with_logprobs: bool = False

    def whole(self, choices: list[Json], usage: Usage) -> Json:
        """A chat.completion."""
        head = self._head("chat.completion")
        return {**head, "choices": choices, "usage": usage.as_json()}

    def chunk(self, choices: list[Json], usage: Json | None = None) -> Json:
        """A chat.completion.chunk."""
        head = self._head("chat.completion.chunk")
        return {**head, "choices": choices, **({} if usage is None else {"usage": usage})}

    def _head(self, kind: str) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model.name,
            "system_fingerprint": f"fp_{self.id[-10:]}",
        }

    def logprobs(self, tokens: tuple[Token, ...]) -> Json | None:
        """The tokens' log-probabilities, if they were asked for."""
        if not self.with_logprobs:
            return None
        return {"content": [self._token(token) for token in tokens], "refusal": None}

    def _token(self, token: Token) -> Json:
        tops = [self._alternative(*pair) for pair in token.top]
        return {**self._alternative(token.id, token.logprob), "top_logprobs": tops}

    def _alternative(self, id: int, logprob: float) -> Json:
        text = self.model.tokenizer.decode([id])
        data = self.model.tokenizer.token_bytes(id)
        listed = list(text.encode() if data is None else data)
        return {"token": text, "logprob": min(logprob, 0.0), "bytes": listed}


@dataclass
class ChoiceBuilder:
    """Gathers one choice of a whole answer."""

    index: int
    envelope: Envelope
    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    reason: str = "stop"

    def add(self, event: Event) -> None:
        """Take one event."""
        match event:
            case TextDelta(text, tokens, thinking):
                (self.reasoning if thinking else self.content).append(text)
                self.tokens += () if thinking else tokens
            case CallBegun(_, id, name):
                function = {"name": name, "arguments": ""}
                self.calls.append({"id": id, "type": "function", "function": function})
            case CallArguments(number, text):
                self.calls[number]["function"]["arguments"] += text
            case Ended(reason):
                self.reason = reason

    def as_json(self) -> Json:
        """The wire object."""
        content = "".join(self.content)
        message: Json = {"role": "assistant", "content": content or (None if self.calls else "")}
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.calls:
            message["tool_calls"] = self.calls
        logprobs = self.envelope.logprobs(tuple(self.tokens))
        return {
            "index": self.index,
            "message": message,
            "logprobs": logprobs,
            "finish_reason": self.reason,
        }


def delta_of(event: Event) -> Json:
    """What a chunk says of one event."""
    match event:
        case TextDelta(text, _, thinking):
            return {"reasoning_content" if thinking else "content": text}
        case CallBegun(number, id, name):
            function = {"name": name, "arguments": ""}
            call = {"index": number, "id": id, "type": "function", "function": function}
            return {"tool_calls": [call]}
        case CallArguments(number, text):
            return {"tool_calls": [{"index": number, "function": {"arguments": text}}]}
        case Ended():
            return {}


async def chunks(
    envelope: Envelope,
    events: AsyncIterator[tuple[int, Event]],
    usage: Usage,
    *,
    include_usage: bool,
    split: bool = False,
) -> AsyncIterator[bytes]:
    """The events of all choices as server-sent events, `[DONE]` last."""
    opened: set[int] = set()
    filler = None if include_usage else ...
    async for index, event in events:
        if index not in opened:
            opened.add(index)
            first = {"role": "assistant", "content": ""}
            yield sse.event(_chunk(envelope, index, first, None, None, filler))
        reason = event.reason if isinstance(event, Ended) else None
        tokens = event.tokens if isinstance(event, TextDelta) and not event.thinking else ()
        logprobs = envelope.logprobs(tokens) if tokens else None
        if isinstance(event, Ended):
            usage.count(event.tokens, event.thoughts)
        delta = delta_of(event)
        for part in split_delta(delta) if split and reason is None else (delta,):
            yield sse.event(_chunk(envelope, index, part, logprobs, reason, filler))
            logprobs = None
    if include_usage:
        yield sse.event(envelope.chunk([], usage.as_json()))
    yield sse.DONE


def _chunk(
    envelope: Envelope,
    index: int,
    delta: Json,
    logprobs: Json | None,
    reason: str | None,
    filler: Any,
) -> Json:
    choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    chunk = envelope.chunk([choice])
    return chunk if filler is ... else {**chunk, "usage": None}
