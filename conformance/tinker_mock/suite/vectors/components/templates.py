"""Chat templates: rendering, discovery, content format, Kimi's prompts."""

from collections.abc import Mapping
from typing import Any

from tinker_mock.suite.vectors.comparison import Component
from tinker_mock.suite.vectors.components.kimi_tokenizer import real_tokenizer, tokenizer_file
from tinker_mock.tokenizer import ChatTemplate, TokenizerError
from tinker_mock.tokenizer.kimi import published_template, sorted_keys
from tinker_mock.tokenizer.mock import MockTokenizer
from tinker_mock.tokenizer.template_files import gateway_form, parse_template_json, read_template
from tinker_mock.tokenizer.template_format import format_by_tree

Given = Mapping[str, Any]
RENDER_KEYS = {"template", "messages", "tools", "add_generation_prompt"}
KIMI_TABLES = {
    "kimi_k2_instruct": "k2_instruct",
    "kimi_k2_thinking": "k2_thinking",
    "kimi_k25": "k25",
}


def chat_template_format(given: Given, entry: Given) -> Any:
    """Whether a template wants content as text or as parts, by the gateway's rules."""
    return format_by_tree(given["template"])


def _render(template: ChatTemplate, given: Given) -> str:
    variables = {key: value for key, value in given.items() if key not in RENDER_KEYS}
    return template.render(
        given["messages"],
        tools=given.get("tools"),
        add_generation_prompt=given.get("add_generation_prompt", False),
        **variables,
    )


def chat_template(given: Given, entry: Given) -> Any:
    """A template rendered, or found in files; a tokenizer without one says so."""
    try:
        if "template" in given:
            return _render(ChatTemplate(given["template"]), given)
        if "files" in given:
            return [_parsed(content) for content in given["files"]]
        if "file_text" in given:
            return gateway_form(given["file_text"])
        return MockTokenizer().apply_chat_template([])
    except TokenizerError as error:
        return {"error": error.message}


def _parsed(content: str) -> Any:
    try:
        return parse_template_json(content)
    except TokenizerError as error:
        return {"error": error.message}


def _kimi_template(name: str) -> ChatTemplate:
    """The model's own template where the shared files have it, else ours."""
    try:
        return read_template(tokenizer_file("templates", f"{name}.jinja"))
    except FileNotFoundError:
        return published_template(name.removeprefix("kimi_").removeprefix("k2_"))


def kimi_chat_template(given: Given, entry: Given) -> dict[str, Any]:
    """A prompt's text, and its ids with the special tokens of that model."""
    name = given["template"]
    tokenizer = real_tokenizer(KIMI_TABLES[name])
    if tokenizer.thinks and given.get("tools"):
        given = {**given, "tools": sorted_keys(given["tools"])}
    text = _render(_kimi_template(name), given)
    actual: dict[str, Any] = {"text": text}
    if "token_ids" in entry["expected"]:
        actual["token_ids"] = tokenizer.encode(text)
    return actual


COMPONENTS: dict[str, Component] = {
    "chat_template": chat_template,
    "chat_template_format": chat_template_format,
    "kimi_chat_template": kimi_chat_template,
}
