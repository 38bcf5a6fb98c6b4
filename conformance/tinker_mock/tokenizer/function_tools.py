"""A Python function as a tool: its JSON schema from type hints and a Google docstring.

The schema is the one transformers' `get_json_schema` gives; a test compares both.
"""

import inspect
import json
import re
import types
from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tinker_mock.tokenizer.errors import TokenizerError

SCALARS = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
CONTAINERS = {list: "array", tuple: "array", dict: "object"}
SECTION = r"(?:Args:|Returns:|Raises:|\Z)"
DESCRIPTION = re.compile(rf"^(.*?)[\n\s]*{SECTION}", re.DOTALL)
ARGUMENTS = re.compile(r"\n\s*Args:\n(.*?)[\n\s]*(?:Returns:|Raises:|\Z)", re.DOTALL)
RETURNS = re.compile(r"\n\s*Returns:\n\s*(.*?)[\n\s]*(?:Raises:|\Z)", re.DOTALL)
ARGUMENT = re.compile(r"(?:^|\n)([ \t]*)(\w+):\s*(.*?)\s*(?=\n(?!\1[ \t])[ \t]*\w+:|\Z)", re.DOTALL)
CHOICES = re.compile(r"\(choices:\s*(.*?)\)\s*$", re.IGNORECASE)


def function_as_tool(function: Callable[..., Any]) -> dict[str, Any]:
    """The tool. Raises TokenizerError `function_tool` for what cannot be told from the source."""
    name = getattr(function, "__name__", "operation")
    documentation = (inspect.getdoc(function) or "").strip()
    if not documentation:
        raise _refused(name, "it has no docstring")
    described = _arguments(documentation)
    schema, returned = _parameters(function, name)
    if returned is not None and (told := RETURNS.search(documentation)):
        returned["description"] = told[1].strip()
    for argument, its_schema in schema["properties"].items():
        if argument not in described:
            raise _refused(name, f"its docstring has no description of the argument {argument!r}")
        its_schema |= _described(described[argument], name)
    found = DESCRIPTION.search(documentation)
    tool = {
        "name": name,
        "description": found[1].strip() if found else None,
        "parameters": schema,
    }
    return {
        "type": "function",
        "function": tool if returned is None else {**tool, "return": returned},
    }


def _refused(name: str, why: str) -> TokenizerError:
    return TokenizerError(
        "function_tool",
        f"{name} cannot be a tool: {why}.",
        fix="Give every argument a type hint and a line under Args:, or pass a JSON schema.",
        detail=name,
    )


def _arguments(documentation: str) -> dict[str, str]:
    found = ARGUMENTS.search(documentation)
    lines = [line for line in (found[1] if found else "").split("\n") if line.strip()]
    matches = ARGUMENT.findall("\n".join(lines))
    return {name: re.sub(r"\s*\n+\s*", " ", text.strip()) for _, name, text in matches}


def _described(text: str, name: str) -> dict[str, Any]:
    choices = CHOICES.search(text)
    if choices is None:
        return {"description": text}
    try:
        values = json.loads(choices[1])
    except ValueError as error:
        raise _refused(name, f"its choices are not JSON: {choices[1]}") from error
    values = [value.strip() if isinstance(value, str) else value for value in values]
    return {"enum": values, "description": text[: choices.start()].strip()}


def _parameters(
    function: Callable[..., Any], name: str
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The schema of the arguments, and that of the result if it has one."""
    hints = get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())
    if parameters and parameters[0].name in ("self", "cls") and parameters[0].name not in hints:
        parameters = parameters[1:]
    for one in parameters:
        if one.annotation is inspect.Parameter.empty:
            raise _refused(name, f"its argument {one.name} has no type hint")
    returned = None
    if "return" in hints:
        try:
            returned = _schema(hints["return"], name)
        except TokenizerError:  # the model never writes it: rather nothing than something wrong
            returned = None
    wanted = [hint for hint in hints if hint != "return"]
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {hint: _schema(hints[hint], name) for hint in wanted},
    }
    required = [one.name for one in parameters if one.default is inspect.Parameter.empty]
    return ({**schema, "required": required} if required else schema), returned


def _schema(hint: Any, name: str) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is None:
        return _bare(hint, name)
    if origin in (Union, types.UnionType):
        return _union(arguments, name)
    if origin is Literal:
        return _enum(list(arguments), name)
    if origin is list:
        return {"type": "array", "items": _schema(arguments[0], name)}
    if origin is tuple:
        if len(arguments) == 1 or ... in arguments:
            raise _refused(name, f"{hint} has one kind of elements: use list[…]")
        return {"type": "array", "prefixItems": [_schema(one, name) for one in arguments]}
    if origin is dict:
        more = {"additionalProperties": _schema(arguments[1], name)} if len(arguments) == 2 else {}
        return {"type": "object", **more}
    raise _refused(name, f"{hint} is no type of JSON")


def _bare(hint: Any, name: str) -> dict[str, Any]:
    if hint is Any:
        return {}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum([member.value for member in hint], name)
    kind = (SCALARS | CONTAINERS).get(hint) if isinstance(hint, type) else None
    if kind is None:
        raise _refused(name, f"{hint!r} is no type of JSON")
    return {"type": kind}


def _enum(values: list[Any], name: str) -> dict[str, Any]:
    if not values or any(type(value) not in SCALARS for value in values):
        raise _refused(name, f"{values} are no values of JSON")
    kinds = list(dict.fromkeys(SCALARS[type(value)] for value in values))
    return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": values}


def _union(members: tuple[Any, ...], name: str) -> dict[str, Any]:
    schemas = [_schema(one, name) for one in members if one is not type(None)]
    plain = [one for one in schemas if one.keys() == {"type"} and isinstance(one["type"], str)]
    if len(schemas) == 1:
        schema = schemas[0]
    elif len(plain) == len(schemas):
        kinds = sorted({one["type"] for one in plain})
        schema = {"type": kinds[0] if len(kinds) == 1 else kinds}
    else:
        schema = {"anyOf": schemas}
    return {**schema, "nullable": True} if type(None) in members else schema
