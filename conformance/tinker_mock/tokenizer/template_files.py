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


def named_templates(configuration: Mapping[str, Any]) -> dict[str, str]:
    """`chat_template` of a tokenizer_config.json by name: a string is the default; several are a
    list of rows or an object."""
    value = configuration.get("chat_template")
    if isinstance(value, str):
        return {"default": value}
    if isinstance(value, list):
        rows = [row for row in value if isinstance(row, dict)]
        value = {row.get("name"): row.get("template") for row in rows}
    if not isinstance(value, dict):
        return {}
    texts = value.items()
    return {n: text for n, text in texts if isinstance(n, str) and isinstance(text, str)}


def discover_template(
    directory: Path, configuration: Mapping[str, Any] | None = None
) -> ChatTemplate | None:
    """The template of a model directory, with transformers' precedence: chat_template.jinja and
    additional_chat_templates/*.jinja go before the tokenizer's configuration. Then come the older
    chat_template.json, and a single file *.jinja of another name where nothing else is."""
    origin = directory / "chat_template.jinja"
    named = {"default": _read(origin)} if origin.is_file() else {}
    for path in sorted((directory / "additional_chat_templates").glob("*.jinja")):
        named[path.stem] = _read(path)
    if not named:
        origin = directory / "tokenizer_config.json"
        named = named_templates(configuration or {})
    if not named and (older := directory / "chat_template.json").is_file():
        return read_template(older)
    if not named:
        strays = sorted(directory.glob("*.jinja"))
        return read_template(strays[0]) if len(strays) == 1 else None
    source = named.get("default", "")
    return ChatTemplate(source, str(origin), named if set(named) != {"default"} else {})


def _read(path: Path) -> str:
    return read_template(path).source
