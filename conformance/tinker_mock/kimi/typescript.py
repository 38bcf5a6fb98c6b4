"""Tools as the TypeScript namespace that Kimi K2.5 prompts declare them in.

Source: smg@73da68c kimi_k25_renderer tests (`tools_ts_str` of the K2.5 chat template).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

SIMPLE = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
    "object": "object",
    "array": "any[]",
}


def tools_as_typescript(tools: Sequence[Mapping[str, Any]]) -> str:
    """The whole declaration; "" without tools."""
    if not tools:
        return ""
    types = "".join(_function(tool["function"]) for tool in tools if "function" in tool)
    return f"# Tools\n\n## functions\nnamespace functions {{\n{types}}}\n"


def _function(function: Mapping[str, Any]) -> str:
    schema = function.get("parameters") or {}
    comment = _comment(function.get("description"), "")
    declared = _type({"type": "object", **schema}, "", schema)
    return f"{comment}type {function['name']} = (_: {declared}) => any;\n"


def _comment(text: Any, indent: str) -> str:
    lines = str(text).split("\n") if text else []
    return "".join(f"{indent}// {line}\n" for line in lines)


def _type(schema: Any, indent: str, root: Mapping[str, Any]) -> str:
    if not isinstance(schema, Mapping):
        return "any"
    if "$ref" in schema:
        return _type(_referred(str(schema["$ref"]), root), indent, root)
    if "enum" in schema:
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " | ".join(_type(one, indent, root) for one in schema[union])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_type({**schema, "type": one}, indent, root) for one in kind)
    if kind == "array" and "items" in schema:
        return f"Array<{_type(schema['items'], indent, root)}>"
    if kind == "object":
        return _object(schema, indent, root)
    return SIMPLE.get(str(kind), "any")


def _object(schema: Mapping[str, Any], indent: str, root: Mapping[str, Any]) -> str:
    properties = schema.get("properties") or {}
    if not properties:
        return "{}"
    required = schema.get("required") or ()
    inner = indent + "  "
    fields = []
    for name, value in properties.items():
        comment = _comment(value.get("description") if isinstance(value, Mapping) else None, inner)
        mark = "" if name in required else "?"
        fields.append(f"{comment}{inner}{name}{mark}: {_type(value, inner, root)}")
    return "{\n" + ",\n".join(fields) + f"\n{indent}}}"


def _referred(pointer: str, root: Mapping[str, Any]) -> Any:
    """The definition a local `$ref` names; unknown and self-referring ones are any."""
    at: Any = root
    for key in pointer.removeprefix("#/").split("/"):
        at = at.get(key) if isinstance(at, Mapping) else None
    return None if at is None or pointer in json.dumps(at) else at
