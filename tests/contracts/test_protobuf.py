"""Message classes out of the .proto text."""

import pytest

from tinker_mock.contracts import Contract
from tinker_mock.contracts.protobuf import check_message, messages
from tinker_mock.contracts.protobuf.proto_source import ProtoSyntaxError, read_proto


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


@pytest.mark.parametrize(
    "text",
    [
        'import "other.proto";',
        "message A {\n  int32 a = one;\n}",
        'syntax = "proto2";',
        "enum E {\n  int32 a = 1;\n}",
    ],
)
def test_what_the_reader_does_not_take(text: str) -> None:
    with pytest.raises(ProtoSyntaxError, match=r"t\.proto:"):
        read_proto(text, "t.proto")


def test_since_comments() -> None:
    text = "message A {  // since 0.18\n  bytes b = 1;  // int32[n], since 0.28\n}"
    assert read_proto(text, "t.proto").since == {"A": "0.18", "A.b": "0.28"}
