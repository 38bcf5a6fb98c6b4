"""Chat templates, rendered as the transformers library renders them.

Templates come with models from strangers: they run in Jinja's immutable sandbox, see plain JSON
values only, cannot store underscore names on a namespace, and are bounded in steps and size.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from functools import lru_cache
from inspect import isfunction, ismethod
from typing import Any

import jinja2
from jinja2 import meta
from jinja2.ext import Extension, loopcontrols

from tinker_mock.tokenizer.bounds import BoundedEnvironment, Budget, budget
from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.final_message import REASONING_FIELDS, FinalMessage
from tinker_mock.tokenizer.function_tools import function_as_tool

ARGUMENTS = frozenset({"messages", "tools", "documents", "add_generation_prompt"})
WORD = re.compile(r"[\w-]+")
Spans = list[tuple[int, int]]
_rendering: ContextVar[tuple[list[str], Spans] | None] = ContextVar("rendering", default=None)


@dataclass(frozen=True)
class Rendered:
    """A rendered conversation and the [start, end) character spans of `{% generation %}`."""

    text: str
    generation_spans: tuple[tuple[int, int], ...]


class GenerationBlocks(Extension):
    """`{% generation %}…{% endgeneration %}`: marks what the assistant wrote."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it as an instance variable

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_note_span")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _note_span(self, caller: Callable[[], str]) -> str:
        text = caller()
        if noted := _rendering.get():
            blocks, spans = noted
            start = sum(map(len, blocks))
            spans.append((start, start + len(text)))
        return text


class _Dict:
    """`dict` in a template: a constructor, and no way to its attributes."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _Namespace(jinja2.utils.Namespace):
    def __init__(*args: Any, **kwargs: Any) -> None:
        # Jinja's own signature, so that `namespace(self=…)` works too.
        self, *rest = args
        values = dict(*rest, **kwargs)
        for name in values:
            _refuse_underscore(name)
        jinja2.utils.Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_underscore(name)
        super().__setitem__(name, value)


def _refuse_underscore(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a template may not store {name!r}")


def _raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


WIDEST = 1000
"""Indent of JSON that a template may ask for."""


def to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as Python writes it (", " and ": "); Jinja's own filter would escape HTML."""
    if isinstance(indent, int) and indent > WIDEST:
        raise ValueError(f"tojson: an indent of {indent} is more than {WIDEST}")
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def template_environment(now: Callable[[], datetime] = datetime.now) -> jinja2.Environment:
    """The environment chat templates expect; `now` answers `strftime_now`."""
    environment = BoundedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlocks, loopcontrols]
    )
    environment.filters["tojson"] = to_json
    environment.globals.update(
        raise_exception=_raise_exception,
        strftime_now=lambda form: now().strftime(form),
        dict=_Dict(),
        namespace=_Namespace,
    )
    return environment


@lru_cache(maxsize=64)
def _compiled(source: str, now: Callable[[], datetime]) -> jinja2.Template:
    try:
        return template_environment(now).from_string(source)
    except jinja2.TemplateSyntaxError as error:
        raise TokenizerError(
            "template", f"The chat template does not parse (line {error.lineno}): {error.message}"
        ) from error


@lru_cache(maxsize=64)
def variables_of(source: str) -> frozenset[str]:
    """The names a template reads that it does not set; none of a template that does not parse."""
    try:
        return frozenset(meta.find_undeclared_variables(template_environment().parse(source)))
    except jinja2.TemplateSyntaxError:
        return frozenset()


def plain(value: Any) -> Any:
    """`value` rebuilt from plain JSON types, so that a template reaches no methods of ours."""
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return value if type(value) is kind else kind(value)
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value)) if type(value) in (list, tuple) else list(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if callable(dump := getattr(value, "model_dump", None)):
        return plain(dump())
    return f"<{type(value).__name__}>"


def _with_reasoning_names(message: dict[str, Any]) -> dict[str, Any]:
    named = (message[key] for key in REASONING_FIELDS if message.get(key) is not None)
    reasoning = next(named, None)
    if reasoning is None:
        return message
    return {"thinking": reasoning, **message, "reasoning_content": reasoning}


def _checked(messages: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for index, message in enumerate(messages):
        made = plain(message)
        if not isinstance(made, dict):
            raise TokenizerError(
                "validation",
                f"messages[{index}] must be an object, got {type(message).__name__}.",
            )
        yield _with_reasoning_names(made)


def plain_tools(tools: Sequence[Any]) -> list[dict[str, Any]]:
    """Tools as JSON schemas: functions become one. Raises TokenizerError `validation` or
    `function_tool`."""
    return [_tool(index, tool) for index, tool in enumerate(tools)]


def _tool(index: int, tool: Any) -> dict[str, Any]:
    if isfunction(tool) or ismethod(tool):
        tool = function_as_tool(tool)
    made = plain(tool)
    if not isinstance(made, dict):
        raise TokenizerError(
            "validation",
            f"tools[{index}] must be a JSON schema or a function, got {type(tool).__name__}.",
            fix="A function needs type hints and a docstring.",
        )
    return made


def _document(index: int, document: Any) -> Any:
    if not isinstance(document, Mapping):
        raise TokenizerError(
            "validation",
            f"documents[{index}] must be an object with title and text, "
            f"got {type(document).__name__}.",
        )
    return plain(document)


@dataclass(frozen=True)
class ChatTemplate:
    """A template's source, and where it was found. Cheap: compilation is cached by source.

    `named` are a model's templates by name, when it has several: `tool_use` is the one for
    conversations with tools, `default` that for the others.
    """

    source: str
    origin: str = ""
    named: Mapping[str, str] = field(default_factory=dict, hash=False)
    now: Callable[[], datetime] = datetime.now

    def chosen(self, wanted: str | None = None, tools: Any = None) -> str:
        """The source for one rendering: `wanted` is a name or a template written out."""
        if wanted is not None:
            if self.named and wanted not in self.named and WORD.fullmatch(wanted):
                raise TokenizerError(
                    "validation",
                    f"chat_template: there is no template named {wanted!r}.",
                    fix=f"Known: {', '.join(sorted(self.named))}.",
                )
            return self.named.get(wanted, wanted)
        if tools is not None and "tool_use" in self.named:
            return self.named["tool_use"]
        if self.named and "default" not in self.named:
            raise TokenizerError(
                "validation",
                "This model has multiple chat templates with no default specified!",
                fix=f"Pass chat_template=, one of {sorted(self.named)}.",
            )
        return self.source

    def render(self, messages: Sequence[Any], **options: Any) -> str:
        """The prompt text; options as in `render_with_spans`."""
        return self.render_with_spans(messages, **options).text

    def render_with_spans(
        self,
        messages: Sequence[Any],
        *,
        tools: Sequence[Any] | None = None,
        documents: Sequence[Any] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool | str = False,
        **variables: Any,
    ) -> Rendered:
        """The prompt text, with the spans the template marks as the assistant's. A template that
        does not parse, fails, takes too long or calls `raise_exception` is a TokenizerError
        `template`; arguments that do not go together are `validation`."""
        source = self.chosen(chat_template, tools)
        template = _compiled(source, self.now)
        chat = list(_checked(messages))
        final = None
        if continue_final_message:
            final = FinalMessage.opened(chat, continue_final_message, source)
        context = {
            "messages": chat,
            "tools": None if tools is None else plain_tools(tools),
            "documents": documents and [_document(*one) for one in enumerate(documents)],
            "add_generation_prompt": add_generation_prompt,
            **plain(variables),
        }
        rendered = _rendered(template, context)
        return rendered if final is None else Rendered(final.cut(rendered.text), ())


def _rendered(template: jinja2.Template, context: dict[str, Any]) -> Rendered:
    blocks: list[str] = []
    spans: Spans = []
    noted, counted = _rendering.set((blocks, spans)), budget.set(Budget())
    try:
        for block in template.generate(context):
            blocks.append(block)
    except RecursionError as error:
        raise TokenizerError("template", "The chat template calls itself without end.") from error
    except (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError,
            ArithmeticError) as error:  # fmt: skip
        raise TokenizerError("template", f"The chat template failed: {error}") from error
    finally:
        _rendering.reset(noted)
        budget.reset(counted)
    return Rendered("".join(blocks), tuple(spans))
