"""Message classes out of the descriptor set, and the set out of the .proto."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from tinker_mock.contracts import Contract
from tinker_mock.contracts.history.agreement import marked_releases
from tinker_mock.contracts.protobuf import DESCRIPTORS, check_message, file_descriptor, messages

PROTO = DESCRIPTORS.with_suffix(".proto")


def test_round_trip_with_oneofs_maps_and_presence() -> None:
    request = messages.ForwardBackwardRequest(model_id="m", seq_id=3, loss_fn="custom")
    request.loss_fn_config["beta"] = 0.5
    request.loss_fn_config_v2["loss_id"].text = "l"
    chunk = request.data.add().model_input.add()
    chunk.image.data = b"png"
    assert not chunk.image.HasField("expected_tokens")
    chunk.image.expected_tokens = 0
    again = messages.ForwardBackwardRequest.FromString(request.SerializeToString())
    assert again == request
    assert again.data[0].model_input[0].WhichOneof("chunk") == "image"
    assert again.data[0].model_input[0].image.HasField("expected_tokens")
    assert again.loss_fn_config_v2["loss_id"].WhichOneof("value") == "text"


def test_known_bytes() -> None:
    sample = messages.SampleResponse(prompt_cache_hit_tokens=5)
    sequence = sample.sequences.add(tokens=b"\x01\0\0\0", logprobs=b"")
    sequence.stop_reason = messages.STOP_REASON_LENGTH
    assert sample.SerializeToString() == bytes.fromhex("0a0a08011204010000001a002005")


def test_a_name_the_proto_lacks() -> None:
    with pytest.raises(AttributeError, match="SampleReply"):
        _ = messages.SampleReply


def test_judging_bytes(tinker: Contract) -> None:
    operation = tinker.operations["forward_backward"]
    kind = "application/x-protobuf"
    good = messages.ForwardBackwardRequest(model_id="m").SerializeToString()
    assert operation.check_request(good, kind) == []
    (broken,) = operation.check_request(b"\x0a\xff", kind)
    assert broken.rule == "protobuf"
    (not_bytes,) = operation.check_request({"model_id": "m"}, kind)
    assert not_bytes.message == "a protobuf body is bytes"


def test_judging_messages() -> None:
    allowed = ["SampleResponse", "ForwardBackwardOutput"]
    assert check_message(allowed, messages.SampleResponse()) == []
    (found,) = check_message(allowed, messages.Datum())
    assert found.actual == "Datum"


def code(text: str) -> list[str]:
    """The lines that declare something."""
    lines = (line.split("//")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def written_out(file: FileDescriptorProto) -> Iterator[str]:
    """The same lines, from descriptors."""
    yield from (f'syntax = "{file.syntax}";', f"package {file.package};")
    spans = file.source_code_info.location
    begins = {tuple(spot.path): spot.span[0] for spot in spans if len(spot.path) == 2}
    parts = {(4, i): message_lines(message) for i, message in enumerate(file.message_type)}
    parts |= {(5, i): enum_lines(enum) for i, enum in enumerate(file.enum_type)}
    for path in sorted(parts, key=begins.__getitem__):
        yield from (*parts[path], "}")


def enum_lines(enum: EnumDescriptorProto) -> Iterator[str]:
    yield f"enum {enum.name} {{"
    yield from (f"{value.name} = {value.number};" for value in enum.value)


def message_lines(message: DescriptorProto) -> Iterator[str]:
    yield f"message {message.name} {{"
    inside = None
    for field in message.field:
        choice = message.oneof_decl[field.oneof_index].name if in_oneof(field) else None
        if choice != inside:
            yield from ["}"] if inside else []
            yield from [f"oneof {choice} {{"] if choice else []
            inside = choice
        yield f"{field_type(message, field)} {field.name} = {field.number};"
    yield from ["}"] if inside else []


def in_oneof(field: FieldDescriptorProto) -> bool:
    return field.HasField("oneof_index") and not field.proto3_optional


def field_type(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    for entry in message.nested_type:
        if field.type_name.endswith(f".{message.name}.{entry.name}"):
            return f"map<{', '.join(field_type(message, part) for part in entry.field)}>"
    kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    kind = field.type_name.rpartition(".")[2] or kind
    if field.label == field.LABEL_REPEATED:
        return f"repeated {kind}"
    return f"optional {kind}" if field.proto3_optional else kind


def test_the_descriptors_say_what_the_proto_does() -> None:
    assert list(written_out(file_descriptor())) == code(PROTO.read_text()), "run `make contract`"


def test_the_marks_are_those_of_the_proto() -> None:
    text = PROTO.read_text()
    marks = [re.search(r"[;{]  // (?:.*\b)?since (\S+)", line) for line in text.splitlines()]
    assert list(marked_releases(file_descriptor()).values()) == [m[1] for m in marks if m]


def compiled(directory: Path, text: str) -> FileDescriptorProto:
    protoc = pytest.importorskip("grpc_tools.protoc", reason="grpcio-tools is not installed")
    (directory / PROTO.name).write_text(text)
    target = directory / "t.pb"
    where = [f"--proto_path={directory}", f"--descriptor_set_out={target}"]
    assert protoc.main(["protoc", *where, "--include_source_info", PROTO.name]) == 0
    (file,) = FileDescriptorSet.FromString(target.read_bytes()).file
    return file


def test_protoc_makes_the_same_descriptors(tmp_path: Path) -> None:
    assert compiled(tmp_path, PROTO.read_text()) == file_descriptor(), "run `make contract`"


def test_since_comments(tmp_path: Path) -> None:
    text = (
        'syntax = "proto3";\n// since 0.1\nmessage A {  // since 0.18\n'
        "  bytes b = 1;  // int32[n], since 0.28\n  // since 0.2\n  bytes c = 2;\n}\n"
        "enum E {\n  NONE = 0;  // since 0.30\n}\n"
    )
    marks = marked_releases(compiled(tmp_path, text))
    assert marks == {"A": "0.18", "A.b": "0.28", "E.NONE": "0.30"}
