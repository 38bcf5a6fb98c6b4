"""OpenAI- and Anthropic-compatible text over HTTP."""

from typing import Any

from tinker_mock.server.errors import NotFound
from tinker_mock.server.quirks import Quirk
from tinker_mock.server.service import checkpoints
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.text import chat, streams
from tinker_mock.server.text.anthropic_wire import MessageBuilder, message_events
from tinker_mock.server.text.completions import Completions, choices_for
from tinker_mock.server.text.messages import from_anthropic, from_anthropic_tools, openai_messages
from tinker_mock.server.text.openai_wire import ChoiceBuilder, Envelope, Usage, chunks
from tinker_mock.server.text.sampling_params import (
    DEFAULT_COMPLETION_TOKENS,
    answer_id,
    anthropic_params,
    entropy_of,
    openai_params,
)
from tinker_mock.server.text.text_model import text_model
from tinker_mock.server.text.tool_choice import NO_TOOLS, ToolRequest, tool_request
from tinker_mock.server.wire.exchange import Answer, Exchange

OPENAI_ID, ANTHROPIC_ID = "x-request-id", "request-id"
CREATED = 1_735_689_600
"""When the base models were "created": 2025-01-01."""


def list_text_models(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Base models that can be sampled, and the caller's sampler checkpoints."""
    offered = backend.catalog.on_offer()
    models = [_model_object(model.name, CREATED) for model in offered if model.sampleable]
    own = [
        _model_object(checkpoint.path, int(checkpoint.created_at))
        for checkpoint in checkpoints.living(backend)
        if checkpoint.tenant_id == exchange.owner.id and checkpoint.kind == "sampler"
    ]
    return {"object": "list", "data": models + own}


def get_text_model(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """One of them."""
    name = exchange.path_params["model"]
    listed: list[dict[str, Any]] = list_text_models(backend, exchange)["data"]
    found = [one for one in listed if one["id"] == name]
    if not found:
        text_model(backend, exchange.owner, name)
        raise NotFound(
            f"model: {name!r} cannot be sampled", details={"wire_code": "model_not_found"}
        )
    return found[0]


def _model_object(name: str, created: int) -> dict[str, Any]:
    owner = name.split("/")[0] if "://" not in name else "tinker"
    return {"id": name, "object": "model", "created": created, "owned_by": owner}


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
    work = Completions(backend, model, head, choices_for(backend, model, body, params))
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
    messages, tools = openai_messages(body["messages"]), tool_request(body)
    if Quirk.TOOLS_IGNORED in backend.quirks:
        tools = NO_TOOLS
    turns = chat.turns_for(backend, body, model, messages, tools, params, body.get("n") or 1)
    envelope = Envelope(
        f"chatcmpl-{answer_id(backend, body, 'chat', entropy)}",
        int(backend.clock.now()),
        model,
        bool(body.get("logprobs")),
    )
    quirk = streams.quirk_of(exchange)
    events, usage = chat.numbered(turns, quirk), Usage(len(turns[0].prompt))
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


async def create_message(backend: Backend, exchange: Exchange) -> Answer:
    """Answer a conversation in Anthropic's shape."""
    body = exchange.body
    model = text_model(backend, exchange.owner, body["model"])
    entropy = entropy_of(backend, exchange.owner, body)
    params = anthropic_params(body, entropy)
    messages, tools = from_anthropic(body), _anthropic_tools(body)
    turns = chat.turns_for(backend, body, model, messages, tools, params)
    name = f"msg_{answer_id(backend, body, 'message', entropy).replace('-', '')[:24]}"
    builder = MessageBuilder(name, body["model"], len(turns[0].prompt))
    events = chat.only_events(turns)
    if body.get("stream"):
        wire = message_events(builder, events)
        return await streams.answer(exchange, backend.clock, wire, {ANTHROPIC_ID: name})
    async for event in events:
        builder.add(event)
    return Answer(body=builder.as_json(), headers={ANTHROPIC_ID: name})


def count_message_tokens(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """How long the prompt of a message would be."""
    body = exchange.body
    model = text_model(backend, exchange.owner, body["model"])
    tools = _anthropic_tools(body)
    offered = tools.tools if tools.choice != "none" else []
    prompt = model.chat_prompt(from_anthropic(body), offered or None, chat.wants_thinking(body))
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
