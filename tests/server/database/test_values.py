"""What is kept is what was there: JSON, arrays, results, and text that looks like the format."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_mock.server.database.values import MARK, Unreadable, decode, encode
from tinker_mock.server.engine import LossResult, SampledSequence, SampleResult, TopK
from tinker_mock.server.lazy_module import IMPORTING
from tinker_mock.server.state.promise import Outcome

TEXT = st.one_of(st.text(max_size=8), st.sampled_from([MARK, MARK * 2, "part", f'"{MARK}":']))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4), st.binary(max_size=5)
    ),
    max_leaves=20,
)


@given(JSON)
def test_values_come_back(value: Any) -> None:
    assert decode(encode(value)) == value


def same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if hasattr(one, "__dataclass_fields__"):
        return type(one) is type(other) and same(vars(one), vars(other))
    return bool(one == other)


def test_results_come_back_to_the_bit() -> None:
    some = np.array([0.1, np.nan, -np.inf], dtype=np.float32)
    tokens = np.array([5, 2**40], dtype=np.int64)
    top = TopK(np.zeros((0, 3), dtype=np.int32), np.ones((2, 3), dtype=np.float32))
    results = [
        LossResult([{"logprobs": some}], {"loss:sum": 0.1 + 0.2}, "TokenLogprobs"),
        SampleResult([SampledSequence(tokens, some, "stop", top)], prompt_logprobs=some),
        {"path": "tinker://a"},
    ]
    for result in results:
        outcome = Outcome("completed", result=result)
        assert same(decode(encode(outcome)), outcome)


@pytest.mark.parametrize("cut", [0, 3, 20, -1])
def test_torn_bytes_are_refused(cut: int) -> None:
    whole = encode({"a": np.arange(4), "b": b"xyz"})
    with pytest.raises(Unreadable):
        decode(whole[:cut])


def test_no_code_and_no_objects_come_out_of_a_file() -> None:
    foreign = encode({"a": b"1234"}).replace(b'"part"', b'"eval"', 1)
    with pytest.raises(Unreadable):
        decode(foreign)
    with pytest.raises(Unreadable):
        decode(encode({"a": np.arange(2)}).replace(b'"<i8"', b'"|O8"', 1))


def test_a_thread_that_reads_arrays_waits_while_another_imports_numpy() -> None:
    data = encode([np.arange(3.0)])
    with ThreadPoolExecutor(1) as threads:
        with IMPORTING:
            reading = threads.submit(decode, data)
            with pytest.raises(TimeoutError):
                reading.result(0.2)
        assert reading.result(60)[0].tolist() == [0.0, 1.0, 2.0]
