"""Where a model's chat template lies: a .json, a .jinja, or the tokenizer's configuration."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.templates import ChatTemplate


def parse_template_json(content: str) -> str:
    """The template in a chat_template.json: a string, or an object that holds one."""
    try:
        value = json.loads(content)
    except ValueError as error:
        raise TokenizerError("invalid_json", f"chat_template.json is not JSON: {error}") from error
    template = value.get("chat_template") if isinstance(value, dict) else value
    if not isinstance(template, str):
        raise TokenizerError("template", "chat_template.json does not contain a valid template")
    return template


def gateway_form(content: str) -> str:
    """A .jinja file as the inference gateway reads it: trimmed, with written-out `\\n`s as line
    ends. transformers takes the file as it is, and so do we unless asked."""
    return content.strip().replace("\\n", "\n")


def read_template(path: Path, *, gateway: bool = False) -> ChatTemplate:
    """The template in one file, by extension (.json, else Jinja text)."""
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TokenizerError("not_found", f"File not found: {path}", detail=str(path)) from error
    if path.suffix == ".json":
        source = parse_template_json(content)
    else:
        source = gateway_form(content) if gateway else content
    return ChatTemplate(source, str(path))


def configured_template(configuration: Mapping[str, Any], name: str = "default") -> str | None:
    """`chat_template` of a tokenizer_config.json: a string, or a list of named templates."""
    value = configuration.get("chat_template")
    if isinstance(value, list):
        named = {row["name"]: row["template"] for row in value if isinstance(row, dict)}
        value = named.get(name, named.get("default"))
    return value if isinstance(value, str) else None


def discover_template(
    directory: Path, configuration: Mapping[str, Any] | None = None
) -> ChatTemplate | None:
    """The template of a model directory: chat_template.json, chat_template.jinja, any other
    .jinja (first by name), then the tokenizer's configuration."""
    for name in ("chat_template.json", "chat_template.jinja"):
        if (path := directory / name).is_file():
            return read_template(path)
    for path in sorted(directory.glob("*.jinja")):
        return read_template(path)
    configuration = configuration or {}
    source = configured_template(configuration)
    if source is None:
        return None
    with_tools = configured_template(configuration, "tool_use")
    return ChatTemplate(source, str(directory / "tokenizer_config.json"), with_tools)
