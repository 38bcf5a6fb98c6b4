"""A model as the text endpoints see it: weights, tokenizer, and how a conversation becomes ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.engine import BaseModel, Weights
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.bases import base_of
from tinker_mock.server.service.inputs import content_id
from tinker_mock.server.state.records import Tenant
from tinker_mock.server.text.effort import kimi_effort, with_effort
from tinker_mock.server.text.family_prompts import form_of
from tinker_mock.server.text.messages import flat_text
from tinker_mock.server.text.model_names import named_model
from tinker_mock.server.text.pictures import PICTURE, picture_tokens, pictures_of
from tinker_mock.server.tokenizers import prompt_encoder, templated_prompt, tokenizer_for

if TYPE_CHECKING:
    from tinker_mock.server.tokenizers import Tokenizer


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

    def tools_in(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The tools that system messages load, which Kimi K3 alone understands."""
        if "Kimi-K3" not in self.catalog.name:
            return []
        loading = [one.get("tools") for one in messages if one["role"] == "system"]
        return [tool for tools in loading for tool in (tools if isinstance(tools, list) else ())
                if isinstance(tool, dict) and isinstance(tool.get("function"), dict)
                and isinstance(tool["function"].get("name"), str)]  # fmt: skip

    @property
    def thinks(self) -> bool:
        """Whether answers begin with a reasoning block."""
        return bool(self.catalog.thinking)

    def prompt(self, text: str) -> list[int]:
        """A plain prompt's ids; never empty, since a model continues something."""
        ids = self.tokenizer.encode(text)
        return ids or [self.catalog.end_tokens[0]]

    @property
    def reasons_apart(self) -> bool:
        """Whether it reasons in a message of its own before the answer, as much as it is told."""
        return bool(self.catalog.thinking_prefix)

    @property
    def thinking_marks(self) -> tuple[int, ...]:
        """The ids after which reasoning begins, and the answer."""
        if self.reasons_apart:
            return (self.catalog.thinking_prefix[-1], *self.catalog.answer_prefix[-1:])
        return self.catalog.thinking

    def opens_thinking(self, prompt: list[int]) -> bool:
        """Whether what follows a prompt is reasoning."""
        size = len(self.catalog.thinking_prefix)
        apart = bool(size) and tuple(prompt[-size:]) == self.catalog.thinking_prefix
        return apart or (self.thinks and self._last_mark(prompt) == self.catalog.thinking[0])

    def closes_thinking(self, prompt: list[int]) -> bool:
        """Whether a prompt ends with reasoning that is over."""
        return self.thinks and self._last_mark(prompt) == self.catalog.thinking[1]

    def _last_mark(self, prompt: list[int]) -> int | None:
        """The mark of reasoning that a prompt ends with; a line break or two may follow it."""
        marks = (token for token in reversed(prompt[-2:]) if token in self.catalog.thinking)
        return next(marks, None)

    def chat_prompt(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, effort: float
    ) -> list[int]:
        """A conversation's ids, up to where the assistant speaks; raises BadRequest."""
        pictures = self._pictures(messages)
        if self.reasons_apart:
            messages = with_effort(messages, effort)
        thinking = effort > 0
        if self.tokenizer.chat_template is not None:
            variables: dict[str, Any] = {"enable_thinking": thinking, "thinking": thinking}
            variables["thinking_effort"] = kimi_effort(effort)
            text = templated_prompt(self.tokenizer, messages, tools, variables)
            return self._ids(text, pictures, prompt_encoder(self.tokenizer))
        named = ", ".join(tool["function"]["name"] for tool in tools or ())
        said = [("system", f"tools: {named}")] if tools else []
        said += [(message["role"], flat_text(message)) for message in messages]
        form = form_of(self.catalog)
        if form is None:
            return self._plain_prompt(said, pictures, thinking)
        ids: list[int] = []
        for marks, words in form.pieces(said, thinking if self.thinks else None):
            ids += self.tokenizer.encode(marks, allow_special_tokens=True)
            ids += self._ids(words, pictures, self._words)
        return ids

    def _words(self, text: str) -> list[int]:
        """The ids of what somebody said, in which no mark counts."""
        return list(self.tokenizer.encode(text, allow_special_tokens=False))

    def _plain_prompt(
        self, said: list[tuple[str, str]], pictures: Iterator[list[int]], thinking: bool
    ) -> list[int]:
        """A conversation with a model of no known family."""
        ids: list[int] = []
        for role, words in said:
            ids += self._ids(f"{role}: {words}", pictures, self.tokenizer.encode)
            ids.append(self.catalog.end_tokens[0])
        ids += self.catalog.turn_prefix
        return ids if thinking or not self.thinks else [*ids, *self.catalog.thinking]

    def _pictures(self, messages: list[dict[str, Any]]) -> Iterator[list[int]]:
        """The ids of each picture's tokens; raises BadRequest where the model takes none."""
        chunks = pictures_of(messages)
        if chunks and not self.catalog.images:
            where = chunks[0]["where"]
            raise BadRequest(
                f"{where}: {self.name} takes no pictures",
                pointer="/messages",
                rule="pictures are for vision models",
                fix="leave the picture out, or use a vision model",
            )
        sizes = [picture_tokens(chunk, self.catalog) for chunk in chunks]
        if sum(sizes) > self.catalog.context_length:
            self.check_length(sum(sizes), 1, "/messages")
        return iter([content_id(c)] * size for c, size in zip(chunks, sizes, strict=True))

    @staticmethod
    def _ids(
        text: str, pictures: Iterator[list[int]], encode: Callable[[str], list[int]]
    ) -> list[int]:
        """The ids of a text, its pictures in their places."""
        first, *rest = text.split(PICTURE)
        ids = list(encode(first))
        for part in rest:
            ids += next(pictures)
            ids += encode(part)
        return ids

    def check_length(
        self, prompt: int, max_tokens: int | None, pointer: str, *, cut: bool = False
    ) -> int:
        """The tokens that may be generated after `prompt` tokens; raises BadRequest when the
        context is too short. `cut`: a limit beyond the context means as much as fits."""
        limit = self.catalog.context_length
        room = limit - prompt
        wanted = 1 if max_tokens is None or cut else max_tokens
        if wanted > room:
            raise BadRequest(
                "Prompt length plus max_tokens exceeds the model's context window: "
                f"{prompt} + {wanted} > {limit}",
                pointer=pointer,
                rule="prompt and answer fit the context length",
                fix=f"this model's maximum context length is {limit} tokens: shorten the prompt "
                "or ask for fewer",
                details={"wire_code": "context_length_exceeded"},
            )
        return room if max_tokens is None else min(max_tokens, room)


def text_model(backend: Backend, tenant: Tenant, name: str) -> TextModel:
    """The model a request names; raises NotFound or BadRequest as `named_model` does."""
    named = named_model(backend, tenant, name)
    base = base_of(backend, named.base_name)
    return TextModel(name, named.catalog, base, named.weights, tokenizer_of(named.catalog))


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
