"""Conversations in one shape (OpenAI's), whatever API they came through."""

import json
from collections.abc import Iterator
from typing import Any

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.text.pictures import PICTURE, picture_chunk, without_marks

Message = dict[str, Any]


def flat_text(message: Message) -> str:
    """A message's content and calls as plain text, for models without a template."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content or ""}]
    text = "".join(str(part.get("text", "")) for part in parts)
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    return text + "".join(f" {call['name']}({call['arguments']})" for call in calls)


def last_user_text(messages: list[Message]) -> str | None:
    """What the user just said; None if the last turn is not the user's."""
    last = messages[-1] if messages else {}
    return flat_text(last) if last.get("role") == "user" else None


def openai_messages(messages: list[Message]) -> list[Message]:
    """Checked OpenAI messages: nulls dropped, `developer` as `system`, pictures refused."""
    cleaned = []
    for index, message in enumerate(messages):
        one = {name: value for name, value in message.items() if value is not None}
        one["role"] = "system" if one["role"] == "developer" else one["role"]
        one.setdefault("content", "")
        if isinstance(one["content"], list):
            _refuse_pictures(one["content"], index)
            one["content"] = "".join(str(part.get("text", "")) for part in one["content"])
        one["content"] = without_marks(one["content"])
        cleaned.append(one)
    _check_tool_results(cleaned)
    return cleaned


def _check_tool_results(messages: list[Message]) -> None:
    called: set[str] = set()
    for index, message in enumerate(messages):
        called |= {call["id"] for call in message.get("tool_calls") or ()}
        if message["role"] == "tool" and message["tool_call_id"] not in called:
            raise BadRequest(
                f"messages[{index}].tool_call_id: {message['tool_call_id']!r} answers no "
                "tool call of an earlier assistant message",
                pointer=f"/messages/{index}/tool_call_id",
                rule="a tool message follows the assistant message that called the tool",
                fix="send the assistant message with its tool_calls unchanged",
            )


def _refuse_pictures(parts: list[Message], index: int) -> None:
    for place, part in enumerate(parts):
        if part["type"] == "image_url":
            pointer = f"/messages/{index}/content/{place}"
            raise BadRequest(
                f"messages[{index}].content[{place}]: pictures are not served on this endpoint",
                pointer=pointer,
                rule="the OpenAI-compatible endpoint takes text parts",
                fix="use the Anthropic-compatible endpoint, or send pictures as chunks to asample",
            )


def from_anthropic(body: dict[str, Any]) -> list[Message]:
    """An Anthropic request's system prompt and messages, in OpenAI's shape."""
    _refuse_threads(body)
    messages: list[Message] = []
    if body.get("system"):
        text, pictures = _shown(body["system"], "system")
        if pictures:
            raise BadRequest(
                "system: pictures are not taken here",
                pointer="/system",
                rule="a system prompt is text",
                fix="send the picture in a user's message",
            )
        messages.append({"role": "system", "content": text})
    for index, message in enumerate(body["messages"]):
        messages += _from_blocks(message["role"], message["content"], index)
    _check_tool_results(messages)
    return messages


def _refuse_threads(body: dict[str, Any]) -> None:
    """No conversation is kept here. The words are those after which Anthropic's client sends all
    of it again (anthropic 2.14.0, lib/threads/_thread_state.py)."""
    if body.get("thread") is not None:
        raise BadRequest(
            "thread: conversations are not kept between requests",
            pointer="/thread",
            rule="a request has all of its messages",
            fix="send every message, and no thread",
            details={
                "anthropic": {
                    "error_code": "thread_unsupported_request",
                    "unsupported": ["thread"],
                }
            },
        )


def _from_blocks(role: str, content: Any, index: int) -> Iterator[Message]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for place, block in enumerate(blocks):
        if block["type"] == "tool_result":
            where = f"messages[{index}].content[{place}].content"
            text, pictures = _shown(block.get("content") or "", where)
            result = {"role": "tool", "tool_call_id": block["tool_use_id"], "content": text}
            yield result | ({"pictures": pictures} if pictures else {})
    text, pictures = _shown(blocks, f"messages[{index}].content")
    thought = "".join(block.get("thinking", "") for block in blocks if block["type"] == "thinking")
    calls = [
        {
            "id": block["id"],
            "type": "function",
            "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
        }
        for block in blocks
        if block["type"] == "tool_use"
    ]
    said: Message = {"role": role, "content": text}
    said |= {"reasoning_content": thought} if thought else {}
    said |= {"tool_calls": calls} if calls else {}
    said |= {"pictures": pictures} if pictures else {}
    if text or calls or thought:
        yield said


def _shown(content: Any, where: str) -> tuple[str, list[Message]]:
    """The text of blocks, with marks for their pictures, and these."""
    if isinstance(content, str):
        return without_marks(content), []
    texts, pictures = [], []
    for place, block in enumerate(content):
        if block["type"] == "image":
            pictures.append(picture_chunk(block["source"], f"{where}[{place}].source"))
            texts.append(PICTURE)
        elif block["type"] == "text":
            texts.append(without_marks(block["text"]))
    return "".join(texts), pictures


def from_anthropic_tools(tools: list[Message] | None) -> list[Message]:
    """Anthropic tools in OpenAI's shape."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool["name"],
                "description": tool.get("description", ""),
                "parameters": tool["input_schema"],
            },
        }
        for tool in tools or ()
    ]
