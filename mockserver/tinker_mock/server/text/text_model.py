"""A model as the text endpoints see it: weights, tokenizer, and how a conversation becomes ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinker_mock.server.catalog.catalog import CatalogModel
from tinker_mock.server.engine import BaseModel, Weights
from tinker_mock.server.errors import BadRequest, NotFound
from tinker_mock.server.service import checkpoints
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.bases import base_of
from tinker_mock.server.state.records import Tenant
from tinker_mock.server.text.messages import flat_text
from tinker_mock.server.tokenizers import templated_prompt, tokenizer_for

if TYPE_CHECKING:
    from tinker_mock.server.tokenizers import Tokenizer

CHECKPOINT = "tinker://"


@dataclass(frozen=True)
class TextModel:
    """What one request generates from. `name` is what the client called it."""

    name: str
    catalog: CatalogModel
    base: BaseModel
    weights: Weights | None
    tokenizer: Tokenizer

    @property
    def is_kimi(self) -> bool:
        """Whether Kimi's rules for tool calls hold."""
        return self.catalog.family.startswith("kimi")

    @property
    def thinks(self) -> bool:
        """Whether answers begin with a reasoning block."""
        return bool(self.catalog.thinking)

    def prompt(self, text: str) -> list[int]:
        """A plain prompt's ids; never empty, since a model continues something."""
        ids = self.tokenizer.encode(text)
        return ids or [self.catalog.end_tokens[0]]

    def chat_prompt(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, thinking: bool
    ) -> list[int]:
        """A conversation's ids, up to where the assistant speaks."""
        if self.tokenizer.chat_template is not None:
            variables = {"enable_thinking": thinking, "thinking": thinking}
            return templated_prompt(self.tokenizer, messages, tools, variables)
        ids: list[int] = []
        if tools:
            named = ", ".join(tool["function"]["name"] for tool in tools)
            ids += [*self.tokenizer.encode(f"tools: {named}"), self.catalog.end_tokens[0]]
        for message in messages:
            ids += self.tokenizer.encode(f"{message['role']}: {flat_text(message)}")
            ids.append(self.catalog.end_tokens[0])
        ids += self.catalog.turn_prefix
        return ids if thinking or not self.thinks else [*ids, *self.catalog.thinking]

    def check_length(self, prompt: list[int], max_tokens: int | None, pointer: str) -> int:
        """The tokens that may be generated; raises BadRequest when the context is too short."""
        limit = self.catalog.context_length
        room = limit - len(prompt)
        wanted = 1 if max_tokens is None else max_tokens
        if wanted > room:
            raise BadRequest(
                f"This model's maximum context length is {limit} tokens. You asked for "
                f"{len(prompt) + wanted} ({len(prompt)} in the prompt, {wanted} in the answer)",
                pointer=pointer,
                rule="prompt and answer fit the context length",
                fix="shorten the prompt or ask for fewer tokens",
                details={"wire_code": "context_length_exceeded"},
            )
        return room if max_tokens is None else max_tokens


def text_model(backend: Backend, tenant: Tenant, name: str) -> TextModel:
    """The model a request names: a base model, or `tinker://…` sampler weights.

    Raises NotFound (with `wire_code` model_not_found).
    """
    weights, base_name = None, name
    try:
        if name.startswith(CHECKPOINT):
            source = checkpoints.readable(backend, tenant, name, "/model")
            weights, base_name = source.weights, source.base_model
        catalog = backend.catalog.get(base_name, "/model")
    except (BadRequest, NotFound) as error:
        raise NotFound(
            error.message,
            pointer="/model",
            rule=error.rule,
            fix=error.fix,
            details={"wire_code": "model_not_found"},
        ) from error
    return TextModel(name, catalog, base_of(backend, base_name), weights, tokenizer_of(catalog))


def tokenizer_of(model: CatalogModel) -> Tokenizer:
    """The model's tokenizer; raises BadRequest for a model with too few ids to have one."""
    tokenizer = tokenizer_for(model)
    if tokenizer is None:
        raise BadRequest(
            f"model: {model.name} has {model.tokenizer_size} ids, too few for text",
            pointer="/model",
            rule="the model's vocabulary has an id for every byte",
            fix="send token ids to asample",
        )
    return tokenizer
