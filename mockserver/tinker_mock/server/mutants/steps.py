"""What a mutant can do to an answer."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from tinker_mock.contracts.pointer import find, places
from tinker_mock.server.wire.exchange import JSON, OPTIONS, PROTOBUF, Answer, Exchange


@dataclass
class Draft:
    """An answer being rewritten. `value` is its JSON body, None for other bodies."""

    exchange: Exchange
    status: int
    value: Any
    content: bytes | None
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    count: int = 0

    @classmethod
    def of(cls, exchange: Exchange, answer: Answer) -> Draft:
        """A draft of an answer; JSON bodies are copied."""
        value, content = None, answer.content
        if answer.content_type == JSON and answer.stream is None:
            encoded = answer.encoded()
            value = orjson.loads(encoded) if encoded else None
            content = None
        return cls(
            exchange, answer.status, value, content, answer.content_type, dict(answer.headers),
            answer.stream,
        )  # fmt: skip

    def answer(self) -> Answer:
        """The answer to send."""
        content = self.content
        if content is None and self.stream is None:
            content = b"" if self.value is None else orjson.dumps(self.value, option=OPTIONS)
        return Answer(self.status, None, content, self.content_type, self.headers, self.stream)


def _each(draft: Draft, pointer: str, change: Callable[[Any], Any]) -> None:
    for container, key in places(draft.value, pointer):
        if isinstance(container, dict) and key not in container:
            continue
        container[key] = change(container[key])


def _set(draft: Draft, changes: dict[str, Any]) -> None:
    for pointer, value in changes.items():
        if not pointer:
            draft.value = value
            continue
        for container, key in places(draft.value, pointer):
            container[key] = value


def _remove(draft: Draft, pointers: list[str]) -> None:
    for pointer in pointers:
        for container, key in reversed(places(draft.value, pointer)):
            if isinstance(container, list):
                del container[key]
            else:
                container.pop(key, None)


def _vary(draft: Draft, pointers: list[str]) -> None:
    """Make each answer differ from the one before."""
    for pointer in pointers:
        _each(draft, pointer, lambda old: f"{old}-{draft.count}" if isinstance(old, str)
              else (old or 0) + draft.count)  # fmt: skip


def _plus(old: Any, amount: Any) -> Any:
    return (old or type(amount)()) + amount


def _add(draft: Draft, changes: dict[str, float | str]) -> None:
    for pointer, amount in changes.items():
        _each(draft, pointer, partial(_plus, amount=amount))


def _reverse(draft: Draft, pointers: list[str]) -> None:
    for pointer in pointers:
        _each(draft, pointer, lambda old: old[::-1])


def _shorten(draft: Draft, pointers: list[str]) -> None:
    """Drop the last element of each list (or string)."""
    for pointer in pointers:
        _each(draft, pointer, lambda old: old[:-1] if old else old)


def _clear(draft: Draft, pointers: list[str]) -> None:
    """Empty each list or string."""
    for pointer in pointers:
        _each(draft, pointer, lambda old: type(old)())


def _repeat(draft: Draft, pointers: list[str]) -> None:
    """Give the first element twice."""
    for pointer in pointers:
        _each(draft, pointer, lambda old: [old[0], *old] if old else old)


def _same(draft: Draft, pointers: list[str]) -> None:
    """Make every element like the first."""
    for pointer in pointers:
        _each(draft, pointer, lambda old: [old[0]] * len(old) if old else old)


def _ask(draft: Draft, pairs: dict[str, str]) -> None:
    """Copy values of the request into the answer."""
    for pointer, source in pairs.items():
        for container, key in places(draft.value, pointer):
            container[key] = find(draft.exchange.body, source)


def _status(draft: Draft, status: int) -> None:
    draft.status = status
    if draft.value is None and draft.content is None:
        draft.value = {"detail": "broken by a mutant"}


def _headers(draft: Draft, headers: dict[str, str | None]) -> None:
    for name, value in headers.items():
        draft.headers = {k: v for k, v in draft.headers.items() if k.lower() != name}
        if value is not None:
            draft.headers[name] = value


def _body(draft: Draft, text: str) -> None:
    draft.value, draft.content = None, text.encode()
    draft.stream = None


def _media(draft: Draft, content_type: str) -> None:
    if draft.content is None:
        draft.content = b"" if draft.value is None else orjson.dumps(draft.value, option=OPTIONS)
    draft.content_type = content_type


def _nth(draft: Draft, change: dict[str, Any]) -> None:
    """From the nth answer on: this status, this body."""
    if "body" in change:
        draft.value, draft.content, draft.content_type = change["body"], None, JSON
    if "status" in change:
        _status(draft, change["status"])


def _wait(draft: Draft, seconds: float) -> None:
    """Hold the whole server up: good enough for a mutant, and quite wrong."""
    threading.Event().wait(seconds)


def _message(draft: Draft, changes: dict[str, Any]) -> None:
    """Set fields of a protobuf answer; `*` for every element, null clears a field."""
    if draft.content_type != PROTOBUF:
        return
    from tinker_mock.server.mutants.messages import rewrite_message

    draft.content = rewrite_message(draft.content or b"", draft.exchange, changes)


def _stream(draft: Draft, pairs: dict[str, str]) -> None:
    """Replace texts in a stream."""
    source = draft.stream
    if source is None:
        return

    async def replaced() -> AsyncIterator[bytes]:
        async for chunk in source:
            for old, new in pairs.items():
                chunk = chunk.replace(old.encode(), new.encode())
            yield chunk

    draft.stream = replaced()


STEPS: dict[str, Callable[[Draft, Any], None]] = {
    "set": _set,
    "remove": _remove,
    "vary": _vary,
    "add": _add,
    "reverse": _reverse,
    "shorten": _shorten,
    "clear": _clear,
    "repeat": _repeat,
    "same": _same,
    "ask": _ask,
    "status": _status,
    "headers": _headers,
    "body": _body,
    "media": _media,
    "nth": _nth,
    "wait": _wait,
    "message": _message,
    "stream": _stream,
}
