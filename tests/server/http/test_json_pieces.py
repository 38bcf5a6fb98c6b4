"""JSON read and written in pieces is the same as in one go."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_mock.server.http import json_pieces
from tinker_mock.server.http.json_faults import Malformed, TooDeep, TooManyNames
from tinker_mock.server.wire import json_text, levels

TEXTS = [*"[]{},:", '"', "\\", '\\"', "é", "\u2028", "a\\\\", " ", "", "x" * 9]
texts = st.lists(st.sampled_from(TEXTS)).map("".join)
values = st.recursive(
    st.sampled_from([1, -2.5, 10**15, None, True, 0.1]) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=60,
)
DAMAGE = [b",", b"[", b"]", b"{", b"}", b'"', b" ", b":", b"\\", b"1", b"\xff", b""]
damages = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(DAMAGE)), max_size=3)


@pytest.fixture(params=[4, 16, 60])
def small_pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_pieces, "PIECE", request.param)
    monkeypatch.setattr(levels, "SLICE", request.param)
    monkeypatch.setattr(json_text, "AT_ONCE", max(1, request.param // 4))


def read(content: bytes) -> Any:
    """What orjson reads; ... for what it refuses."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return ...


@pytest.mark.usefixtures("small_pieces")
@given(values, st.sampled_from([0, orjson.OPT_INDENT_2]), damages)
def test_pieces_are_read_as_the_whole(
    value: Any, layout: int, damage: list[tuple[float, bytes]]
) -> None:
    content = bytearray(orjson.dumps(value, option=layout))
    for where, what in damage:
        place = int(where * len(content))
        content[place : place + (not what)] = what
    try:
        found = json_pieces.load_pieces(bytes(content)) if content else ...
    except Malformed:
        found = ...
    expected = read(bytes(content))
    assert repr(found) == repr(expected)


@pytest.mark.usefixtures("small_pieces")
@given(values, st.sampled_from([0, orjson.OPT_SORT_KEYS]))
def test_pieces_are_written_as_the_whole(value: Any, option: int) -> None:
    whole = orjson.dumps(value, option=option)
    assert b"".join(json_text.json_pieces(value, option)) == whole


def test_no_piece_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the shape, the parser is never given more than a piece and its brackets."""
    luck = random.Random(5)
    numbers = [luck.random() for _ in range(100_000)]
    shapes: list[Any] = [
        numbers,
        {"x": {"y": [numbers, {"z": numbers}]}},
        [[one] for one in numbers],
        {f"name-{place}": one for place, one in enumerate(numbers[:90_000])},
        ['\\"' * 40_000] * 8,
    ]
    sizes: list[int] = []
    loads = orjson.loads

    def noted(content: bytes) -> Any:
        sizes.append(len(content))
        return loads(content)

    monkeypatch.setattr(json_pieces.orjson, "loads", noted)
    for shape in shapes:
        content = orjson.dumps(shape)
        assert len(content) > 2 * json_pieces.PIECE
        assert json_pieces.load_pieces(content) == shape
    assert max(sizes) <= json_pieces.PIECE + 2


def test_what_is_beyond_the_limits_is_refused() -> None:
    padding = b"1," * 300_000
    with pytest.raises(TooDeep):
        json_pieces.load_pieces(b"[" + padding + b"[" * 128 + b"]" * 129)
    json_pieces.load_pieces(b"[" + padding + b"[" * 127 + b"]" * 128)
    names = b",".join(b'"%d":1' % place for place in range(100_001))
    with pytest.raises(TooManyNames):
        json_pieces.load_pieces(b"{" + names + b"}")
