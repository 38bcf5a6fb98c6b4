"""Messages are counted before they are parsed."""

import pytest

from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.wire import protobuf_requests
from tinker_mock.server.wire.protobuf_size import larger_than

REQUEST = messages.ForwardBackwardRequest


def request(data: int, tokens: int = 3) -> bytes:
    message = REQUEST(model_id="m", seq_id=1, loss_fn="cross_entropy")
    for _ in range(data):
        datum = message.data.add()
        datum.model_input.add().encoded_text.tokens = b"\1\0\0\0" * tokens
        target = datum.loss_fn_inputs["target_tokens"]
        target.dense = b"\1\0\0\0\0\0\0\0" * tokens
        target.dtype = messages.DTYPE_INT64
        target.shape.append(tokens)
    return bytes(message.SerializeToString())


def test_messages_are_counted_and_tensors_are_not() -> None:
    small = request(100)
    assert not larger_than(1300, small, REQUEST.DESCRIPTOR)
    assert larger_than(500, small, REQUEST.DESCRIPTOR)
    assert not larger_than(30, request(1, tokens=200_000), REQUEST.DESCRIPTOR)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x1a\x00" * 300_000,  # empty datums
        b"\x1a\x80\x80\x80\x01" + b"\x0a\x00" * (1 << 20),  # a datum of empty chunks
        b"\x1a\x80\x80\x80\x01" + b"\x1a\x00" * (1 << 20),  # or of empty spans
    ],
)
def test_bombs_are_refused_before_they_are_parsed(
    bomb: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protobuf_requests, "MOST_ELEMENTS", 100_000)
    with pytest.raises(BadRequest) as refused:
        protobuf_requests.decode_forward_backward(bomb)
    assert "100000" in str(refused.value)


@pytest.mark.parametrize("damage", [b"\xff" * 20, b"\x0a\xff\xff\x7f", b"\x0b", b"\x0a"])
def test_what_is_no_message_is_left_to_the_parser(damage: bytes) -> None:
    assert not larger_than(10, damage, REQUEST.DESCRIPTOR)
    with pytest.raises(BadRequest, match="not a ForwardBackwardRequest"):
        protobuf_requests.decode_forward_backward(damage * 70_000)
