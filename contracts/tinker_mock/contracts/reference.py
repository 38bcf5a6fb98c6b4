"""A contract as a page to read: every operation and schema, as HTML without style or script.

The running mock serves it at `/docs`, the documentation has it as its reference.
"""

import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from tinker_mock.contracts.bundle import Document
from tinker_mock.contracts.loader import Contract
from tinker_mock.contracts.operation import Operation, Parameter
from tinker_mock.contracts.schema import Schema
from tinker_mock.contracts.versions import SdkRange

LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "default": "default {}",
    "format": "{}",
    "pattern": "pattern {}",
    "contentMediaType": "{}",
}


def reference(contract: Contract) -> str:
    """The contract's chapters, then its schemas; every heading has an anchor."""
    tags = [tag["name"] for tag in contract.document.get("tags", ())]
    parts = [_contents(contract, tags)]
    for tag in tags:
        parts.append(f'<h2 id="{escape(tag)}">{escape(tag)}</h2>')
        parts += [_operation(o) for o in contract.operations.values() if o.chapter == tag]
    parts.append('<h2 id="schemas">Schemas</h2>')
    schemas = contract.document["components"]["schemas"]
    parts += [_component(name, schemas[name]) for name in sorted(schemas)]
    return "\n".join(parts)


def _contents(contract: Contract, tags: list[str]) -> str:
    rows = [
        f'<tr><td><a href="#{o.id}">{o.id}</a></td>'
        f"<td><code>{o.method} {escape(o.path)}</code></td>"
        f"<td>{_prose(o.summary)}</td></tr>"
        for tag in tags
        for o in contract.operations.values()
        if o.chapter == tag
    ]
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def _operation(operation: Operation) -> str:
    node = operation.document
    parts = [
        f'<h3 id="{operation.id}">{operation.id}</h3>',
        f"<p><code>{operation.method} {escape(operation.path)}</code>{_range(operation.sdk)}</p>",
        f"<p>{_prose(operation.summary)}</p>",
        f"<p>{_prose(node['description'])}</p>" if node.get("description") else "",
    ]
    if operation.parameters:
        parts.append(_table(("parameter", "in", "type", ""), map(_parameter, operation.parameters)))
    for kind in operation.request_types:
        schema = operation.request_schema if kind == "application/json" else None
        parts.append(f"<p>Body, <code>{kind}</code>{': ' + _kind(schema) if schema else ''}</p>")
        parts.append(_fields(schema))
    if operation.result_schema:
        parts.append(f"<p>The promise's result: {_kind(operation.result_schema)}</p>")
    parts.append(_table(("status", "answer", ""), _answers(node)))
    return "\n".join(part for part in parts if part)


def _parameter(parameter: Parameter) -> tuple[str, ...]:
    about = parameter.schema.get("description", "")
    return (
        f"<code>{escape(parameter.name)}</code>{' *' if parameter.required else ''}",
        parameter.place,
        _kind(parameter.schema),
        _prose(about) + _range(parameter.sdk),
    )


def _answers(node: Schema) -> Iterator[tuple[str, ...]]:
    for status, answer in node.get("responses", {}).items():
        if "$ref" in answer:
            yield status, escape(answer["$ref"].rpartition("/")[2]), ""
            continue
        kinds = [
            f"<code>{kind}</code> {_kind(media.get('schema', media.get('itemSchema')))}"
            for kind, media in answer.get("content", {}).items()
        ]
        yield status, _prose(answer.get("description", "")), "<br>".join(kinds)


def _component(name: str, schema: Schema) -> str:
    about = f"<p>{_prose(schema['description'])}</p>" if schema.get("description") else ""
    plain = "" if schema.get("properties") else f"<p>{_kind(schema)}</p>"
    return f'<h3 id="schema-{name}">{name}</h3>\n{_range(SdkRange.of(schema))}{about}{plain}' + (
        _fields(schema)
    )


def _fields(schema: Any, prefix: str = "") -> str:
    rows = list(_rows(schema, prefix)) if isinstance(schema, dict) else []
    return _table(("field", "type", ""), rows) if rows else ""


def _rows(schema: Schema, prefix: str) -> Iterator[tuple[str, ...]]:
    """A row a field; those of nested objects under dotted names."""
    for part in schema.get("allOf", ()):
        yield from _rows(part, prefix)
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        if not isinstance(field, dict):
            continue
        star = " *" if name in required else ""
        about = _prose(field.get("description", "")) + _range(SdkRange.of(field))
        yield f"<code>{escape(prefix + name)}</code>{star}", _kind(field), about
        yield from _rows(field, f"{prefix}{name}.")
        if isinstance(field.get("items"), dict):
            yield from _rows(field["items"], f"{prefix}{name}[].")


def _kind(schema: Any) -> str:
    """What a value may be, in a few words; named schemas are links."""
    if not isinstance(schema, dict) or not schema:
        return "anything"
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{name}</a>'
    if "x-protobuf" in schema:
        return f"protobuf {schema['x-protobuf']}"
    if "const" in schema:
        return f"<code>{escape(repr(schema['const']))}</code>"
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(map(_kind, schema[union])))
    if "allOf" in schema:
        return " and ".join(map(_kind, schema["allOf"]))
    return _plain(schema)


def _plain(schema: Schema) -> str:
    kinds = schema.get("type", "anything")
    words = [kinds] if isinstance(kinds, str) else list(kinds)
    if "array" in words and "items" in schema:
        words[words.index("array")] = f"array of {_kind(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        words = [f"object of {_kind(schema['additionalProperties'])}"]
    limits = [text.format(escape(str(schema[k]))) for k, text in LIMITS.items() if k in schema]
    return " or ".join(words) + "".join(f", {limit}" for limit in limits)


def _range(sdk: SdkRange) -> str:
    since = f" since {sdk.since}" if sdk.since else ""
    until = f" until {sdk.until}" if sdk.until else ""
    return f" <small>(SDK{since}{until})</small>" if since or until else ""


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _prose(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text.strip()))


def title_of(document: Document) -> str:
    """What the document is called, for a heading."""
    return escape(f"{document['info']['title']} {document['info']['version']}")
