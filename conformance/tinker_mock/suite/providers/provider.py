"""The provider under test, as two kinds of client see it."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tinker_mock.suite.core.http import event_data
from tinker_mock.suite.core.verdict import Unmet

DONE = "[DONE]"
EVENT_STREAM = "text/event-stream"


@dataclass
class Answer:
    """One chat completion. `overwritten` holds the calls as a client that keeps the first id
    and the last name sees them; for a whole answer it equals `calls`."""

    finish_reason: str | None = None
    content: str = ""
    reasoning: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    overwritten: list[dict[str, Any]] = field(default_factory=list)
    message: dict[str, Any] = field(default_factory=dict)
    content_type: str = ""
    events: list[str] = field(default_factory=list)
    misnumbered: list[Any] = field(default_factory=list)
    usage: Mapping[str, Any] | None = None

    @property
    def names(self) -> list[str]:
        """The functions called."""
        return [str(call["function"].get("name")) for call in self.calls]

    def as_message(self) -> dict[str, Any]:
        """The assistant message to send back as history."""
        message: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        return {**message, "tool_calls": self.calls} if self.calls else message


@dataclass
class Provider:
    """An address, a model, a key. `asked` keeps what was sent, for traces."""

    url: str
    model: str
    key: str
    timeout: float = 120.0
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        headers = {"authorization": f"Bearer {self.key}"}
        self.http = httpx.Client(headers=headers, timeout=self.timeout)
        self.address = self.url.rstrip("/") + "/chat/completions"

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def ask(self, body: dict[str, Any]) -> Answer:
        """A whole answer; Unmet unless it is a 200 with a choice."""
        response = self._post({**body, "model": self.model})
        try:
            choice = response.json()["choices"][0]
            message = dict(choice["message"])
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise Unmet("an answer has a choice with a message", "JSON", response.text) from error
        calls = list(message.get("tool_calls") or ())
        return Answer(
            choice.get("finish_reason"),
            message.get("content") or "",
            message.get("reasoning_content") or message.get("reasoning") or "",
            calls,
            calls,
            message,
            response.headers.get("content-type", ""),
        )

    def stream(self, body: dict[str, Any]) -> Answer:
        """A streamed answer, put together; Unmet unless it is a 200."""
        response = self._post({**body, "model": self.model, "stream": True})
        answer = Answer(content_type=response.headers.get("content-type", ""))
        answer.events = event_data(response.content)
        for event in answer.events:
            try:
                chunk = json.loads(event)
            except ValueError:
                continue
            _take(answer, chunk)
        return answer

    def curl(self) -> str:
        """The last request as a command."""
        body = json.dumps(self.asked[-1], ensure_ascii=False) if self.asked else "{}"
        return f"curl {self.address} -H 'authorization: Bearer …' -d {shlex.quote(body)}"

    def _post(self, body: dict[str, Any]) -> httpx.Response:
        self.asked.append(body)
        try:
            response = self.http.post(self.address, json=body)
        except httpx.HTTPError as error:
            failure = f"{type(error).__name__}: {error}"
            raise Unmet("the provider answers", "an answer", failure) from error
        if response.status_code != 200:
            raise Unmet("the provider serves the request", 200, response.text)
        return response


def _take(answer: Answer, chunk: Any) -> None:
    if not isinstance(chunk, dict):
        return
    answer.usage = chunk.get("usage") or answer.usage
    for choice in chunk.get("choices") or ():
        answer.usage = choice.get("usage") or answer.usage
        answer.finish_reason = choice.get("finish_reason") or answer.finish_reason
        delta = choice.get("delta") or {}
        answer.content += delta.get("content") or ""
        answer.reasoning += delta.get("reasoning_content") or delta.get("reasoning") or ""
        for fragment in delta.get("tool_calls") or ():
            if not _is_numbered(answer, fragment):
                answer.misnumbered.append(fragment)
            _gather(answer.calls, fragment, overwrite=False)
            _gather(answer.overwritten, fragment, overwrite=True)


def _is_numbered(answer: Answer, fragment: dict[str, Any]) -> bool:
    """A fragment goes on with a call that began, under the same id, or begins the next one."""
    index, id = fragment.get("index"), fragment.get("id")
    if not isinstance(index, int) or isinstance(index, bool):
        return False
    known = answer.overwritten
    if index < len(known):
        name = (fragment.get("function") or {}).get("name")
        return not (id and name) or known[index]["id"] in ("", id)
    return index == len(known)


def _gather(calls: list[dict[str, Any]], fragment: dict[str, Any], *, overwrite: bool) -> None:
    index = fragment.get("index") or 0
    while len(calls) <= index:
        calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
    call, function = calls[index], fragment.get("function") or {}
    id, name = fragment.get("id") or "", function.get("name") or ""
    call["id"] = (call["id"] or id) if overwrite else call["id"] + id
    mine = call["function"]
    mine["name"] = (name or mine["name"]) if overwrite else mine["name"] + name
    mine["arguments"] += function.get("arguments") or ""
