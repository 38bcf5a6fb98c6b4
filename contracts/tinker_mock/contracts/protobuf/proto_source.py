"""A reader of the proto3 that `tinker.proto` is written in: no protoc, nothing generated.

Takes messages, enums, `optional`, `repeated`, `map<…>`, `oneof` and `// since X` comments; imports,
services, options and nested messages are refused.
"""

import re
from dataclasses import dataclass, field

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

SCALARS = {
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
OPEN = re.compile(r"(message|enum|oneof) (\w+) \{")
MAP = re.compile(r"map<(\w+), (\w+)> (\w+) = (\d+);")
FIELD = re.compile(r"(?:(optional|repeated) )?(\w+) (\w+) = (\d+);")
VALUE = re.compile(r"(\w+) = (\d+);")
SINCE = re.compile(r"// (?:.*\b)?since (\d+\.\d+)")


class ProtoSyntaxError(ValueError):
    """A line this reader doesn't take; the message has its number."""


@dataclass
class ProtoSource:
    """The descriptor of the file, and the first release of every name in it."""

    file: FileDescriptorProto
    since: dict[str, str] = field(default_factory=dict)


def read_proto(text: str, name: str) -> ProtoSource:
    """Parse the file; raises ProtoSyntaxError."""
    source = ProtoSource(FileDescriptorProto(name=name, syntax="proto3"))
    reader = _Reader(source)
    for number, line in enumerate(text.splitlines(), 1):
        code = line.split("//")[0].strip()
        since = SINCE.search(line)
        if code and not reader.take(code, since[1] if since else None):
            raise ProtoSyntaxError(f"{name}:{number}: not understood: {code!r}")
    _resolve_types(source.file)
    return source


class _Reader:
    def __init__(self, source: ProtoSource) -> None:
        self.source = source
        self.message: DescriptorProto | None = None
        self.enum: EnumDescriptorProto | None = None
        self.in_oneof = False

    def take(self, code: str, since: str | None) -> bool:
        """Use one line; False if it is none of ours."""
        file = self.source.file
        if code.startswith("syntax "):
            return code == 'syntax = "proto3";'
        if code.startswith("package "):
            file.package = code.removeprefix("package ").rstrip(";")
            return True
        if code == "}":
            self._close()
            return True
        opened = OPEN.fullmatch(code)
        if opened:
            self._open(opened[1], opened[2], since)
            return True
        if self.enum is not None:
            return self._value(code, since)
        return self.message is not None and self._field(self.message, code, since)

    def _open(self, kind: str, name: str, since: str | None) -> None:
        if kind == "oneof" and self.message is not None:
            self.message.oneof_decl.add(name=name)
            self.in_oneof = True
            return
        if kind == "enum":
            self.enum = self.source.file.enum_type.add(name=name)
        else:
            self.message = self.source.file.message_type.add(name=name)
        self._note(name, since)

    def _close(self) -> None:
        if self.in_oneof:
            self.in_oneof = False
        else:
            self.message = self.enum = None

    def _value(self, code: str, since: str | None) -> bool:
        found = VALUE.fullmatch(code)
        if found is None or self.enum is None:
            return False
        self.enum.value.add(name=found[1], number=int(found[2]))
        self._note(f"{self.enum.name}.{found[1]}", since)
        return True

    def _field(self, message: DescriptorProto, code: str, since: str | None) -> bool:
        entry = MAP.fullmatch(code)
        if entry:
            _add_map(message, entry[3], int(entry[4]), entry[1], entry[2])
            self._note(f"{message.name}.{entry[3]}", since)
            return True
        found = FIELD.fullmatch(code)
        if found is None:
            return False
        rule, kind, name, number = found.groups()
        added = message.field.add(name=name, number=int(number), type_name=kind)
        added.label = added.LABEL_REPEATED if rule == "repeated" else added.LABEL_OPTIONAL
        if self.in_oneof:
            added.oneof_index = len(message.oneof_decl) - 1
        elif rule == "optional":
            added.proto3_optional = True
        self._note(f"{message.name}.{name}", since)
        return True

    def _note(self, name: str, since: str | None) -> None:
        if since:
            self.source.since[name] = since


def _add_map(message: DescriptorProto, name: str, number: int, key: str, value: str) -> None:
    """A map is a repeated nested message of key and value."""
    entry = message.nested_type.add(name=name.title().replace("_", "") + "Entry")
    entry.options.map_entry = True
    for position, (part, kind) in enumerate((("key", key), ("value", value)), 1):
        added = entry.field.add(name=part, number=position, type_name=kind)
        added.label = added.LABEL_OPTIONAL
    added = message.field.add(name=name, number=number)
    added.label = added.LABEL_REPEATED
    added.type = added.TYPE_MESSAGE
    added.type_name = f"{message.name}.{entry.name}"


def _resolve_types(file: FileDescriptorProto) -> None:
    """Turn type names into scalar types or fully qualified names; hidden oneofs come last."""
    enums = {enum.name for enum in file.enum_type}
    for message in file.message_type:
        for owner in (message, *message.nested_type):
            for found in owner.field:
                scalar = SCALARS.get(found.type_name)
                if scalar is not None:
                    found.type = scalar
                    found.ClearField("type_name")
                    continue
                found.type = found.TYPE_ENUM if found.type_name in enums else found.TYPE_MESSAGE
                found.type_name = f".{file.package}.{found.type_name}"
        for found in message.field:
            if found.proto3_optional:
                message.oneof_decl.add(name=f"_{found.name}")
                found.oneof_index = len(message.oneof_decl) - 1
