"""What one SDK release can say, read from its source without running it.

A surface maps a name to its form:
`operation POST /api/v1/asample` → ``; `field AdamParams.beta1` → `float = 0.9`;
`value LossFnType.gspo` → ``; `message Datum.model_input` → `1 repeated Chunk`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Surface = dict[str, str]
VERBS = {"get", "post", "put", "delete", "patch"}
PLAIN_BASES = {"str", "Enum", "Protocol", "TypedDict", "Exception", "ABC"}


def read_surface(package: Path) -> Surface:
    """The surface of an unpacked `tinker` package.

    Raises FileNotFoundError if there is no `types` directory in it.
    """
    if not (package / "types").is_dir():
        raise FileNotFoundError(f"{package} is no unpacked tinker package: it has no types/")
    surface: Surface = {}
    types = package / "types"
    for path in [*sorted((types / "_pydantic_types").glob("*.py")), *sorted(types.glob("*.py"))]:
        surface.update(_types(_parse(path)))
    for path in sorted(package.rglob("*.py")):
        if not path.name.endswith("_test.py") and "types" not in path.parts:
            surface.update({f"operation {name}": "" for name in _operations(_parse(path))})
    descriptor = package / "proto" / "tinker_public_pb2.py"
    if descriptor.exists():
        surface.update(_messages(_parse(descriptor)))
    return dict(sorted(surface.items()))


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# types


def _types(module: ast.Module) -> Surface:
    found: Surface = {}
    for node in module.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            if not PLAIN_BASES & {ast.unparse(base) for base in node.bases}:
                fields = _fields(node)
                found.update({f"field {node.name}.{name}": form for name, form in fields.items()})
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            found.update(_literal_alias(node))
    return found


def _fields(node: ast.ClassDef) -> dict[str, str]:
    is_dataclass = any("dataclass" in ast.unparse(mark) for mark in node.decorator_list)
    fields: dict[str, str] = {}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            fields[item.target.id] = _form(item.annotation, item.value)
        elif is_dataclass and isinstance(item, ast.FunctionDef) and _is_property(item):
            fields.setdefault(item.name, canonical(item.returns))
    return {
        name: form
        for name, form in fields.items()
        if not name.startswith("_") and not name.endswith("_np") and "ClassVar" not in form
    }


def _is_property(item: ast.FunctionDef) -> bool:
    return any(isinstance(m, ast.Name) and m.id == "property" for m in item.decorator_list)


def _form(annotation: ast.expr, default: ast.expr | None) -> str:
    form = canonical(annotation)
    if default is None:
        return form
    if isinstance(default, ast.Call) and ast.unparse(default.func) in ("Field", "field"):
        named = {word.arg: word.value for word in default.keywords}
        if "default" in named:
            return f"{form} = {ast.unparse(named['default'])}"
        return f"{form} = …" if "default_factory" in named else form
    return f"{form} = {ast.unparse(default)}"


def canonical(node: ast.expr | None) -> str:
    """A type written one way: `Optional[List[int]]` and `list[int] | None` are `list[int]?`."""
    if node is None:
        return "Any"
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return canonical(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.BinOp):
        return _union([node.left, node.right])
    if not isinstance(node, ast.Subscript):
        return {"Dict": "dict", "List": "list", "ModelID": "str"}.get(
            ast.unparse(node), ast.unparse(node)
        )
    head = canonical(node.value)
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if head == "Literal":
        return f"Literal[{', '.join(map(ast.unparse, parts))}]"
    if head == "Optional":
        return _union([*parts, ast.Constant(None)])
    if head == "Union":
        return _union(parts)
    if head == "Annotated":
        return canonical(parts[0])
    name = {"List": "list", "Dict": "dict", "Mapping": "dict", "Sequence": "list"}.get(head, head)
    return f"{name}[{', '.join(map(canonical, parts))}]"


def _union(parts: list[ast.expr]) -> str:
    flat: list[str] = []
    for part in parts:
        flat.extend(canonical(part).split(" | "))
    nullable = "None" in flat or any(name.endswith("?") for name in flat)
    names = list(dict.fromkeys(name.rstrip("?") for name in flat if name != "None"))
    return " | ".join(names) + ("?" if nullable else "")


def _literal_alias(node: ast.AnnAssign | ast.Assign) -> Surface:
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    value = node.value
    if not isinstance(target, ast.Name) or not isinstance(value, ast.Subscript):
        return {}
    if target.id.startswith("_") or canonical(value.value) != "Literal":
        return {}
    parts = value.slice.elts if isinstance(value.slice, ast.Tuple) else [value.slice]
    return {f"value {target.id}.{ast.literal_eval(part)}": "" for part in parts}


# operations


def _operations(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        verb = node.func.attr.lstrip("_")
        arguments = list(node.args)
        if verb == "request" and len(arguments) > 1:
            verb = ast.unparse(arguments.pop(0)).strip("'").lower()
        path = _path(arguments[0]) if arguments else ""
        if verb in VERBS and path.startswith("/api/"):
            yield f"{verb.upper()} {path}"


def _path(node: ast.expr) -> str:
    """The path template of a literal or f-string; `{…}` for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    return ""


# messages


def _messages(module: ast.Module) -> Surface:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    for node in ast.walk(module):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, bytes) and b"tinker_public" in value[:64]:
            return message_fields(FileDescriptorProto.FromString(value))
    return {}


def message_fields(file: Any) -> Surface:
    """Every field of a FileDescriptorProto: number, presence, type."""
    found: Surface = {}
    for message in file.message_type:
        entries = {nested.name: nested for nested in message.nested_type}
        for field in message.field:
            kind = _kind(field)
            entry = entries.get(kind)
            if entry is not None:
                kind = f"map<{_kind(entry.field[0])}, {_kind(entry.field[1])}>"
            elif field.label == field.LABEL_REPEATED:
                kind = f"repeated {kind}"
            elif field.HasField("oneof_index") and not field.proto3_optional:
                kind = f"oneof {message.oneof_decl[field.oneof_index].name} {kind}"
            elif field.proto3_optional:
                kind = f"optional {kind}"
            found[f"message {message.name}.{field.name}"] = f"{field.number} {kind}"
    for enum in file.enum_type:
        for value in enum.value:
            found[f"message {enum.name}.{value.name}"] = str(value.number)
    return found


def _kind(field: Any) -> str:
    if field.type_name:
        return re.split(r"\.", field.type_name)[-1]
    return str(field.Type.Name(field.type)).removeprefix("TYPE_").lower()
