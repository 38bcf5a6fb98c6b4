"""OpenAI- and Anthropic-compatible text over HTTP."""

from typing import Any

from tinker_mock.server.quirks import Quirk
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.prompt_cache import cached_tokens
from tinker_mock.server.text import chat, streams
from tinker_mock.server.text.answer_schema import anthropic_schema, openai_schema
from tinker_mock.server.text.anthropic_wire import MessageBuilder, PromptUsage, message_events
from tinker_mock.server.text.completions import Completions, choices_for
from tinker_mock.server.text.effort import anthropic_effort, openai_effort
from tinker_mock.server.text.messages import from_anthropic, from_anthropic_tools, openai_messages
from tinker_mock.server.text.openai_wire import ChoiceBuilder, Envelope, Usage, chunks
from tinker_mock.server.text.sampling_params import (
    DEFAULT_COMPLETION_TOKENS,
    answer_id,
    anthropic_params,
    entropy_of,
    openai_params,
)
from tinker_mock.server.text.text_model import TextModel, text_model
from tinker_mock.server.text.tool_choice import NO_TOOLS, ToolRequest, tool_request
from tinker_mock.server.text.turns import Turn
from tinker_mock.server.wire.exchange import Answer, Exchange

OPENAI_ID, ANTHROPIC_ID = "x-request-id", "request-id"


async def create_completion(backend: Backend, exchange: Exchange) -> Answer:
    """Continue prompts."""
    body = exchange.body
    model = text_model(backend, exchange.owner, body["model"])
    entropy = entropy_of(backend, exchange.owner, body)
    params = openai_params(body, body.get("max_tokens") or DEFAULT_COMPLETION_TOKENS, entropy)
    head = {
        "id": f"cmpl-{answer_id(backend, body, 'completion', entropy)}",
        "object": "text_completion",
        "created": int(backend.clock.now()),
        "model": body["model"],
    }
    choices = await backend.compute(choices_for, backend, model, body, params)
    work = Completions(backend, model, head, choices)
    request_id = {OPENAI_ID: head["id"]}
    if not body.get("stream"):
        return Answer(body=await work.whole(), headers=request_id)
    events = work.events(_include_usage(body))
    return await streams.answer(exchange, backend.clock, events, request_id)


async def create_chat_completion(backend: Backend, exchange: Exchange) -> Answer:
    """Answer a conversation in OpenAI's shape."""
    body = exchange.body
    model = text_model(backend, exchange.owner, body["model"])
    entropy = entropy_of(backend, exchange.owner, body)
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    params = openai_params(body, limit, entropy)
    asked = _asked_chat(backend, body, model)
    count = body.get("n") or 1
    turns = await backend.compute(chat.turns_for, backend, model, asked, params, count)
    envelope = Envelope(
        f"chatcmpl-{answer_id(backend, body, 'chat', entropy)}",
        int(backend.clock.now()),
        model,
        bool(body.get("logprobs")),
    )
    quirk = streams.kimi_quirk(exchange)
    events = chat.numbered(turns, quirk, inline=body.get("separate_reasoning") is False)
    usage = Usage(len(turns[0].prompt))
    if body.get("stream"):
        split, with_usage = quirk == "split-deltas", _include_usage(body)
        wire = chunks(envelope, events, usage, include_usage=with_usage, split=split)
        request_id = {OPENAI_ID: envelope.id}
        lines = quirk == "json-lines"
        return await streams.answer(exchange, backend.clock, wire, request_id, json_lines=lines)
    builders = [ChoiceBuilder(index, envelope) for index in range(len(turns))]
    async for index, event in events:
        builders[index].add(event)
    for turn in turns:
        usage.count(turn.tokens, turn.thoughts)
    completion = envelope.whole([builder.as_json() for builder in builders], usage)
    return Answer(body=completion, headers={OPENAI_ID: envelope.id})


def _asked_chat(backend: Backend, body: dict[str, Any], model: TextModel) -> chat.Asked:
    """What a chat completion asks for; quirks leave out what the service was seen to ignore."""
    form = body.get("response_format") or {"type": "text"}
    loose = not model.reasons_apart or form["type"] != "json_object"
    held = not (loose and Quirk.RESPONSE_FORMAT_IGNORED in backend.quirks)
    messages = openai_messages(body["messages"])
    told = model.tools_in(messages)
    return chat.Asked(
        messages,
        NO_TOOLS if Quirk.TOOLS_IGNORED in backend.quirks else tool_request(body, told),
        openai_effort(body),
        openai_schema(body, messages) if held else None,
    )


async def create_message(backend: Backend, exchange: Exchange) -> Answer:
    """Answer a conversation in Anthropic's shape."""
    body = exchange.body
    model = text_model(backend, exchange.owner, body["model"])
    entropy = entropy_of(backend, exchange.owner, body)
    params = anthropic_params(body, entropy)
    messages = from_anthropic(body)
    asked = chat.Asked(
        messages,
        _anthropic_tools(body),
        anthropic_effort(body),
        anthropic_schema(body),
        cut=model.reasons_apart and Quirk.MAX_TOKENS_HELD not in backend.quirks,
    )
    turns = await backend.compute(chat.turns_for, backend, model, asked, params)
    name = f"msg_{answer_id(backend, body, 'message', entropy).replace('-', '')[:24]}"
    usage = _prompt_usage(backend, exchange, turns[0])
    builder = MessageBuilder(name, body["model"], usage)
    events = chat.only_events(turns)
    if body.get("stream"):
        wire = message_events(builder, events)
        return await streams.answer(exchange, backend.clock, wire, {ANTHROPIC_ID: name})
    async for event in events:
        builder.add(event)
    return Answer(body=builder.as_json(), headers={ANTHROPIC_ID: name})


def _prompt_usage(backend: Backend, exchange: Exchange, turn: Turn) -> PromptUsage:
    size = len(turn.prompt)
    if Quirk.PLAIN_USAGE in backend.quirks:
        return PromptUsage(plain=size)
    read = cached_tokens(backend, f"{exchange.owner.id} {turn.model.name}", turn.prompt)
    return PromptUsage(created=size - read, read=read)


async def count_message_tokens(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """How long the prompt of a message would be."""
    body = exchange.body
    model = text_model(backend, exchange.owner, body["model"])
    tools = _anthropic_tools(body)
    offered = tools.tools if tools.choice != "none" else []
    prompt = await backend.compute(
        model.chat_prompt, from_anthropic(body), offered or None, anthropic_effort(body)
    )
    return {"input_tokens": len(prompt)}


def _anthropic_tools(body: dict[str, Any]) -> ToolRequest:
    choice = body.get("tool_choice") or {"type": "auto"}
    kinds = {"any": "required", "tool": {"function": {"name": choice.get("name")}}}
    return tool_request(
        {
            "tools": from_anthropic_tools(body.get("tools")),
            "tool_choice": kinds.get(choice["type"], choice["type"]) if body.get("tools") else None,
            "parallel_tool_calls": not choice.get("disable_parallel_tool_use", False),
        }
    )


def _include_usage(body: dict[str, Any]) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))
