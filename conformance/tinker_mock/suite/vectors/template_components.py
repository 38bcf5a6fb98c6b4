"""Vector components of chat templates: rendering, discovery, content format, Kimi's prompts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinker_mock.suite.vectors.kimi_tokenizer_components import real_tokenizer
from tinker_mock.suite.vectors.runner import Chosen, Component
from tinker_mock.suite.vectors.shared_files import tokenizer_file
from tinker_mock.tokenizer import ChatTemplate, TokenizerError, content_format
from tinker_mock.tokenizer.kimi import published_template, sorted_keys
from tinker_mock.tokenizer.mock import MockTokenizer
from tinker_mock.tokenizer.template_files import gateway_form, parse_template_json, read_template

Given = Mapping[str, Any]
RENDER_KEYS = {"messages", "tools", "documents", "add_generation_prompt"}
KIMI_TABLES = {
    "kimi_k2_instruct": "k2_instruct",
    "kimi_k2_thinking": "k2_thinking",
    "kimi_k25": "k25",
}


def chat_template_format(given: Given, entry: Given) -> Any:
    if "template" in given:
        found = content_format(given["template"])
    else:
        name = given.get("template_file") or given.get("file") or given["name"]
        found = content_format(_kimi_template(Path(name).stem).source)
    if not isinstance(entry["expected"], dict):
        return found
    column = next((key for key in entry["expected"] if "head" in key), "head")
    return Chosen(f"expected.{column}", found, "loop controls parse here, as at head")


def _render(template: ChatTemplate, given: Given) -> str:
    variables = {key: value for key, value in given.items() if key not in RENDER_KEYS}
    for nested in ("template_kwargs", "kwargs"):
        variables |= variables.pop(nested, None) or {}
    return template.render(
        given.get("messages", []),
        tools=given.get("tools"),
        documents=given.get("documents"),
        add_generation_prompt=given.get("add_generation_prompt", False),
        **variables,
    )


def chat_template(given: Given, entry: Given) -> Any:
    try:
        if "template" in given:
            rest = {key: value for key, value in given.items() if key != "template"}
            return _render(ChatTemplate(given["template"]), rest)
        if "files" in given:
            return [_parsed(content) for content in given["files"]]
        if "file_text" in given:
            return gateway_form(given["file_text"])
        return MockTokenizer().apply_chat_template(given.get("messages", []))
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
    rest = {key: value for key, value in given.items() if key != "template"}
    if tokenizer.thinks and rest.get("tools"):
        rest["tools"] = sorted_keys(rest["tools"])
    text = _render(_kimi_template(name), rest)
    actual: dict[str, Any] = {"text": text}
    if "token_ids" in entry["expected"]:
        actual["token_ids"] = tokenizer.encode(text)
    return actual


COMPONENTS: dict[str, Component] = {
    "chat_template": chat_template,
    "chat_template_format": chat_template_format,
    "kimi_chat_template": kimi_chat_template,
}
