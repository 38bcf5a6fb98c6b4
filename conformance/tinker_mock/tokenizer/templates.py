"""Chat templates, rendered as the transformers library renders them.

Templates come with models from strangers: they run in a bounded sandbox, see plain JSON values
only, and cannot store underscore names on a namespace.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.ext import Extension, loopcontrols

from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.template_bounds import (
    LONGEST_TEXT,
    MOST_STEPS,
    BoundedEnvironment,
    bounded,
    steps,
)

REASONING_FIELDS = ("reasoning_content", "thinking", "reasoning")
FAILURES = (
    jinja2.TemplateError,
    AttributeError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)
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


class _Namespace(jinja2.utils.Namespace):
    def __setitem__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a template may not store {name!r}")
        super().__setitem__(name, value)


def _raise_exception(message: str) -> None:
    raise jinja2.exceptions.TemplateError(message)


def to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as Python writes it (", " and ": "); Jinja's own filter would escape HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def template_environment(now: Callable[[], datetime] = datetime.now) -> jinja2.Environment:
    """The environment chat templates expect; `now` answers `strftime_now`."""
    environment = BoundedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlocks, loopcontrols]
    )
    environment.filters["tojson"] = bounded("tojson", to_json)
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
    if callable(dump := getattr(value, "model_dump", None)):
        return plain(dump())
    return f"<{type(value).__name__}>"


def _with_reasoning_names(message: Mapping[str, Any]) -> Mapping[str, Any]:
    named = (message[key] for key in REASONING_FIELDS if message.get(key) is not None)
    reasoning = next(named, None)
    if reasoning is None:
        return message
    return {"thinking": reasoning, **message, "reasoning_content": reasoning}


def _checked(messages: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise TokenizerError(
                "validation",
                f"messages[{index}] must be an object, got {type(message).__name__}.",
            )
        yield _with_reasoning_names(plain(message))


@dataclass(frozen=True)
class ChatTemplate:
    """A template's source, and where it was found. Cheap: compilation is cached by source.

    `with_tools` is the template some models have for conversations with tools.
    """

    source: str
    origin: str = ""
    with_tools: str | None = None
    now: Callable[[], datetime] = datetime.now

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = False,
        **variables: Any,
    ) -> str:
        """The prompt text. A template that does not parse, fails or calls `raise_exception`
        is a TokenizerError `template`."""
        return self.render_with_spans(
            messages,
            tools=tools,
            documents=documents,
            add_generation_prompt=add_generation_prompt,
            **variables,
        ).text

    def render_with_spans(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        documents: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = False,
        **variables: Any,
    ) -> Rendered:
        """As `render`, with the spans the template marks as the assistant's."""
        template = _compiled((tools and self.with_tools) or self.source, self.now)
        blocks: list[str] = []
        spans: Spans = []
        context = {
            "messages": list(_checked(messages)),
            "tools": plain(list(tools)) if tools is not None else None,
            "documents": plain(list(documents)) if documents is not None else None,
            "add_generation_prompt": add_generation_prompt,
            **plain(variables),
        }
        noted, counted = _rendering.set((blocks, spans)), steps.set([MOST_STEPS])
        size = 0
        try:
            for block in template.generate(context):
                blocks.append(block)
                size += len(block)
                if size > LONGEST_TEXT:
                    raise ValueError(f"its text is longer than {LONGEST_TEXT} characters")
        except (
            RecursionError,
            OverflowError,
            MemoryError,
            jinja2.TemplateError,
            TypeError,
            ValueError,
            KeyError,
            AttributeError,
        ) as error:
            raise TokenizerError("template", f"The chat template failed: {error}") from error
        finally:
            _rendering.reset(noted)
            steps.reset(counted)
        return Rendered("".join(blocks), tuple(spans))
