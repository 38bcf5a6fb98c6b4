"""How each family writes an answer: reasoning, text, tool calls, the end.

The forms are those of tinker-cookbook 0.6.1's renderers (`tinker_cookbook/renderers/`), which
follow the models' chat templates; tool calls of Llama 3.1 follow its template.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.scripts.script import Call

FRAME, REASONING, TEXT, CALL = "frame", "reasoning", "text", "call"
Span = tuple[str, str]
"""What a piece of an answer is, and its text. Each call is one piece."""
Calls = Callable[[Sequence[Call], bool, int], list[Span]]
"""Calls, whether text stands before them, and the number of the conversation's first call."""


@dataclass(frozen=True)
class AnswerFormat:
    """`reasoning` and `text` are what stands around those.

    `calls_end` ends an answer that calls tools: None for the end token, "" where the calls do it
    themselves.
    """

    reasoning: tuple[str, str] | None = ("<think>", "</think>")
    text: tuple[str, str] = ("", "")
    calls: Calls | None = None
    calls_end: str | None = None
    text_before_calls: tuple[str, str] | None = None


def format_of(model: CatalogModel) -> AnswerFormat:
    """The form of a model's answers."""
    if not model.chat:
        return AnswerFormat(reasoning=None)
    parts = model.family.split("_")
    names = ["_".join(parts[:end]) for end in range(len(parts), 0, -1)]
    found = next((FORMATS[name] for name in names if name in FORMATS), AnswerFormat())
    if model.family == "nemotron3" and ("Ultra" in model.name or "-3.5-" in model.name):
        return AnswerFormat(("<think>\n", "</think>"), calls=_xml_lines)
    channels = found.reasoning is not None and not found.reasoning[0].startswith("<think>")
    if not model.thinking and not channels:
        return replace(found, reasoning=None)
    return found


def _json_blocks(calls: Sequence[Call], after_text: bool, first: int) -> list[Span]:
    blocks = []
    for call in calls:
        payload = {"name": call.name, "arguments": json.loads(call.arguments)}
        blocks.append(f"<tool_call>\n{json.dumps(payload)}\n</tool_call>")
    return _separated(blocks, "\n", after_text)


def _separated(blocks: list[str], separator: str, after_text: bool) -> list[Span]:
    lead = [separator if after_text or place else "" for place in range(len(blocks))]
    return [(CALL, before + block) for before, block in zip(lead, blocks, strict=True)]


def _xml(call: Call) -> str:
    values = _arguments(call).items()
    lines = [f"<parameter={name}>\n{_plain(value)}\n</parameter>\n" for name, value in values]
    return f"<tool_call>\n<function={call.name}>\n{''.join(lines)}</function>\n</tool_call>"


def _xml_blocks(calls: Sequence[Call], after_text: bool, first: int) -> list[Span]:
    lead = "\n\n" if after_text else ""
    blocks = [_xml(call) for call in calls]
    return [(CALL, ("\n" if place else lead) + block) for place, block in enumerate(blocks)]


def _xml_lines(calls: Sequence[Call], after_text: bool, first: int) -> list[Span]:
    lead = "\n" if after_text else ""
    return [(CALL, ("" if place else lead) + _xml(c) + "\n") for place, c in enumerate(calls)]


def _arguments(call: Call) -> dict[str, Any]:
    found = json.loads(call.arguments)
    return found if isinstance(found, dict) else {"value": found}


def _plain(value: Any) -> str:
    """A value as parsers read it back: JSON, or text that is no JSON."""
    if isinstance(value, str) and value and value == value.strip():
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value, ensure_ascii=False)


def _kimi(calls: Sequence[Call], after_text: bool, first: int) -> list[Span]:
    spans: list[Span] = [(FRAME, "<|tool_calls_section_begin|>")]
    for place, call in enumerate(calls):
        id = f"functions.{call.name}:{first + place}"
        begin, argument = "<|tool_call_begin|>", "<|tool_call_argument_begin|>"
        spans.append((CALL, f"{begin}{id}{argument}{call.arguments}<|tool_call_end|>"))
    return [*spans, (FRAME, "<|tool_calls_section_end|>")]


def _deepseek(calls: Sequence[Call], after_text: bool, first: int) -> list[Span]:
    begin, end = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"
    spans = [(CALL, f"{begin}{call.name}<｜tool▁sep｜>{call.arguments}{end}") for call in calls]
    return [(FRAME, "<｜tool▁calls▁begin｜>"), *spans, (FRAME, "<｜tool▁calls▁end｜>")]


def _dsml(calls: Sequence[Call], after_text: bool, first: int) -> list[Span]:
    spans: list[Span] = [(FRAME, "\n\n<｜DSML｜ calls>\n")]
    for place, call in enumerate(calls):
        parameters = [
            f'<｜DSML｜ parameter name="{name}" string="{str(isinstance(v, str)).lower()}">'
            f"{v if isinstance(v, str) else json.dumps(v, ensure_ascii=False)}</｜DSML｜ parameter>"
            for name, v in _arguments(call).items()
        ]
        body = "\n".join(parameters)
        invoke = f'<｜DSML｜ invoke name="{call.name}">\n{body}\n</｜DSML｜ invoke>'
        spans.append((CALL, ("\n" if place else "") + invoke))
    return [*spans, (FRAME, "\n</｜DSML｜ calls>")]


def _glm(calls: Sequence[Call], after_text: bool, first: int) -> list[Span]:
    spans = []
    for call in calls:
        pairs = [
            f"<arg_key>{name}</arg_key><arg_value>{_plain(value)}</arg_value>"
            for name, value in _arguments(call).items()
        ]
        spans.append((CALL, f"<tool_call>{call.name}{''.join(pairs)}</tool_call>"))
    return spans


def _harmony(calls: Sequence[Call], after_text: bool, first: int) -> list[Span]:
    form = " to=functions.{}<|channel|>commentary <|constrain|>json<|message|>{}<|call|>"
    texts = [form.format(call.name, call.arguments) for call in calls]
    return [(CALL, ("<|start|>assistant" if at else "") + text) for at, text in enumerate(texts)]


def _invoke_json(calls: Sequence[Call], after_text: bool, first: int) -> list[Span]:
    spans = []
    for call in calls:
        payload = {"name": call.name, "args": json.loads(call.arguments)}
        text = json.dumps(payload, separators=(",", ":"), ensure_ascii=False)
        form = f"<|message_model|>{call.name}<|content_invoke_tool_json|>{text}<|end_message|>"
        spans.append((CALL, form))
    return spans


def _llama(calls: Sequence[Call], after_text: bool, first: int) -> list[Span]:
    payloads = [{"name": c.name, "parameters": json.loads(c.arguments)} for c in calls]
    return _separated([json.dumps(payload) for payload in payloads], "\n", after_text)


FORMATS = {
    "qwen3": AnswerFormat(("<think>\n", "\n</think>\n\n"), calls=_json_blocks),
    "qwen3_5": AnswerFormat(("<think>\n", "\n</think>\n\n"), calls=_xml_blocks),
    "llama3": AnswerFormat(None, calls=_llama),
    "deepseek_v3": AnswerFormat(calls=_deepseek),
    "deepseek_v4_1": AnswerFormat(calls=_dsml),
    "gpt_oss": AnswerFormat(
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant"),
        ("<|channel|>final<|message|>", ""),
        _harmony,
        calls_end="",
        text_before_calls=("<|channel|>commentary<|message|>", "<|end|><|start|>assistant"),
    ),
    "kimi_k2": AnswerFormat(calls=_kimi),
    "glm5": AnswerFormat(calls=_glm, calls_end="<|observation|>"),
    "nemotron3": AnswerFormat(("<think>\n", "\n</think>\n"), calls=_xml_lines),
    "inkling": AnswerFormat(
        ("<|message_model|><|content_thinking|>", "<|end_message|>"),
        ("<|message_model|><|content_text|>", "<|end_message|>"),
        _invoke_json,
    ),
}
