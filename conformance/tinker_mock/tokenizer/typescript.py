"""Tools as the TypeScript namespace that Kimi's prompts declare them in, from K2.5 on.

Source: MoonshotAI/Kimi-Vendor-Verifier@3dad65a beam/tokenizer/tool_declaration_ts.py, whose
layout, comments, interfaces and refusals this follows; a test compares both over random schemas.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.tokenizer.errors import TokenizerError

INDENT = "  "
BETWEEN = ",\n"
CONSTRAINTS = {
    "string": ("maxLength", "minLength", "pattern"),
    "number": ("maximum", "minimum"),
    "integer": ("maximum", "minimum"),
    "array": ("maxItems", "minItems"),
}
IN_UNION = {
    **{"string": "string", "number": "number", "integer": "number", "boolean": "boolean"},
    **{"null": "null", "object": "{}", "array": "Array<any>"},
}
OF_TYPE: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}


@dataclass
class _Type:
    """A declared type: how it is written at an indent, and the comments before it."""

    write: Callable[[str], str]
    description: str = ""
    constraints: tuple[tuple[str, Any], ...] = ()
    fields: "list[_Field]" = field(default_factory=list)

    def comments(self, indent: str) -> str:
        lines = [_comment(self.description, indent)] if self.description else []
        if self.constraints:
            told = ", ".join(f"{key}: {value}" for key, value in self.constraints)
            lines.append(f"{indent}// {told}")
        return "".join(f"{line}\n" for line in lines)


@dataclass
class _Field:
    """A property."""

    name: str
    type: _Type
    optional: bool
    default: Any

    def write(self, indent: str) -> str:
        comments = self.type.comments(indent)
        if self.default is not None:
            plain = isinstance(self.default, int | float)
            told = repr(self.default) if plain else json.dumps(self.default, ensure_ascii=False)
            comments += f"{indent}// Default: {told}\n"
        mark = "?" if self.optional else ""
        return f"{comments}{indent}{self.name}{mark}: {self.type.write(indent)}"


def tools_as_typescript(tools: Sequence[Mapping[str, Any]]) -> str:
    """The whole declaration; "" without functions. Raises TokenizerError `tool_declaration` for
    a schema that Moonshot's writer refuses (oneOf, allOf, const, references outside `$defs`)."""
    functions = [tool["function"] for tool in tools if tool.get("type") == "function"
                 and tool.get("function")]  # fmt: skip
    if not functions:
        return ""
    try:
        declared = "\n".join(map(_function, functions))
    except RecursionError as error:
        raise TokenizerError("tool_declaration", "A tool's schema is nested too deeply.") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TokenizerError(
            "tool_declaration",
            f"Kimi's prompt cannot declare a tool: {error}",
            fix="Use object, array, enum, anyOf, scalar types and references into $defs.",
        ) from error
    return f"# Tools\n\n## functions\nnamespace functions {{\n{declared}\n}}\n"


def _function(function: Mapping[str, Any]) -> str:
    reader = _Reader()
    parameters = reader.object_type(function.get("parameters") or {})
    interfaces = []
    named = reader.names_itself  # what the definitions refer to comes too late for the original
    if named:
        body = BETWEEN.join(one.write(INDENT) for one in parameters.fields)
        interfaces.append(f"interface parameters {{{_on_own_lines(body)}}}")
    for name, schema in list(reader.definitions.items()):
        written = reader.type_of(schema).write("")
        described = _comment(schema.get("description", ""), "") if schema.get("description") else ""
        interfaces.append("\n".join(filter(None, (described, f"interface {name} {written}"))))
    argument = "parameters" if named else parameters.write("")
    description = function.get("description")
    lines = [
        "\n".join(interfaces),
        _comment(description, "") if description else "",
        f"type {function.get('name', 'function')} = (_: {argument}) => any;",
    ]
    return "\n".join(filter(None, lines))


class _Reader:
    """One function's schema. `$defs` count from where they are read on."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self.names_itself = False

    def type_of(self, schema: Any) -> _Type:
        """The type a schema declares."""
        if isinstance(schema, bool):
            return _word("any" if schema else "null")
        if "$ref" in schema:
            return self._reference(schema)
        if "anyOf" in schema:
            return self._any_of(schema)
        if "enum" in schema:
            return _enum(schema)
        if "type" not in schema:
            if schema == {}:
                return _word("any")
            raise ValueError(f"not a schema it knows: {schema}")
        kind = schema["type"]
        if isinstance(kind, list):
            words = [IN_UNION[one] for one in kind]
            return _described(schema, lambda indent: " | ".join(words))
        if kind == "object":
            return self.object_type(schema)
        if kind == "array":
            return self._array(schema)
        return _described(schema, lambda indent: "number" if kind == "integer" else kind, kind)

    def object_type(self, schema: Mapping[str, Any]) -> _Type:
        """An object; its required properties come first, each group by name."""
        more: Any = None
        fields: list[_Field] = []
        if schema:
            self.definitions |= schema.get("$defs") or {}
            more = schema.get("additionalProperties")
            more = self.type_of(more) if isinstance(more, dict) else more
            fields = self._fields(schema)

        def write(indent: str) -> str:
            ordered = sorted(fields, key=lambda one: (one.optional, one.name))
            lines = [one.write(indent + INDENT) for one in ordered]
            if more is not None:
                lines.append(f"{indent}{INDENT}[k: string]: {_further(more, indent + INDENT)}")
            return f"{{{_on_own_lines(BETWEEN.join(lines))}{indent}}}" if lines else "{}"

        declared = _described(schema, write)
        declared.fields = fields
        return declared

    def _fields(self, schema: Mapping[str, Any]) -> list[_Field]:
        if "properties" not in schema:
            return []
        optional = set(schema["properties"].keys()) - set(schema.get("required", []))
        return [
            _Field(
                name,
                self.type_of(value),
                name in optional,
                value.get("default") if isinstance(value, dict) else None,
            )
            for name, value in schema["properties"].items()
        ]

    def _array(self, schema: Mapping[str, Any]) -> _Type:
        item = self.type_of(schema["items"]) if schema.get("items") else _word("any")

        def write(indent: str) -> str:
            comments = item.comments(indent + INDENT)
            if not comments:
                return f"Array<{item.write(indent)}>"
            inner = indent + INDENT
            return f"Array<\n{comments}{inner}{item.write(inner)}\n{indent}>"

        return _described(schema, write, "array")

    def _any_of(self, schema: Mapping[str, Any]) -> _Type:
        types = [self.type_of(one) for one in schema["anyOf"]]
        return _described(schema, lambda indent: " | ".join(one.write(indent) for one in types))

    def _reference(self, schema: Mapping[str, Any]) -> _Type:
        pointer = schema["$ref"]
        name = pointer.split("/")[-1]
        if pointer == "#":
            self.names_itself, name = True, "parameters"
        elif not pointer.startswith("#/$defs/"):
            raise ValueError(f"Unsupported reference format: {pointer}")
        elif name not in self.definitions:
            raise ValueError(f"Reference not found: {pointer}")
        elif isinstance(self.definitions[name], bool):
            raise TypeError(f"{pointer} is no schema")
        return _described(schema, lambda indent: name)


def _word(text: str) -> _Type:
    return _Type(lambda indent: text)


def _described(schema: Mapping[str, Any], write: Callable[[str], str], kind: Any = "") -> _Type:
    known = CONSTRAINTS.get(kind, ()) if isinstance(kind, str) else ()
    constraints = tuple((key, schema[key]) for key in known if key in schema)
    return _Type(write, schema.get("description", ""), constraints)


def _enum(schema: Mapping[str, Any]) -> _Type:
    values, kind = schema["enum"], schema.get("type")
    if isinstance(kind, list):
        if len(kind) > 2 or not kind or (len(kind) == 2 and "null" not in kind):
            raise ValueError(f"Enum type {kind} is not supported")
        kind = kind[0] if len(kind) == 1 or kind[0] != "null" else kind[1]
    wanted = OF_TYPE.get(kind) if isinstance(kind, str) else None
    for value in values:
        if value is not None and wanted is not None and not isinstance(value, wanted):
            raise ValueError(f"Enum value {value} is not of type {kind}")
    words = [f'"{value}"' if isinstance(value, str) else str(value) for value in values]
    return _described(schema, lambda indent: " | ".join(words))


def _further(more: Any, indent: str) -> str:
    """The type of properties that are not named."""
    if isinstance(more, _Type):
        return more.write(indent)
    if not isinstance(more, bool):
        raise ValueError(f"Unknown additionalProperties: {more}")
    return "any" if more else "never"


def _on_own_lines(body: str) -> str:
    return f"\n{body}\n" if body else ""


def _comment(text: str, indent: str) -> str:
    return "\n".join(f"{indent}// {line}" if line else "" for line in text.split("\n"))
