"""Cutting batches and putting results together, for any batch."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_mock.client import Datum, ForwardBackwardOutput, ModelInput, TensorData, ValidationError
from tinker_mock.client.config.presets import PRESETS, PYTHON_0_7, PYTHON_LATEST, TINKEX
from tinker_mock.client.futures.chunks import ChunkLimits, datum_bytes, split, tensor_bytes
from tinker_mock.client.futures.combine import combine, hash_unordered, reduce_metrics

PRESET_NAMES = st.sampled_from(sorted(PRESETS))


def a_datum(length: int) -> Datum:
    return Datum(ModelInput.from_ints([1] * length), {})


@given(
    st.lists(st.integers(0, 40), max_size=60), st.integers(1, 9), st.integers(1, 300), PRESET_NAMES
)
def test_chunks_keep_order_and_limits(lengths: list[int], most: int, size: int, name: str) -> None:
    data, preset = [a_datum(length) for length in lengths], PRESETS[name]
    chunks = split(data, preset, ChunkLimits(most, size))
    assert [datum for chunk in chunks for datum in chunk.data] == data
    for chunk in chunks:
        assert 1 <= len(chunk.data) <= most
        assert chunk.size == sum(datum_bytes(datum, preset) for datum in chunk.data)
        assert chunk.size <= size or len(chunk.data) == 1
    for first, second in pairwise(chunks):
        room = size - first.size
        assert len(first.data) == most or datum_bytes(second.data[0], preset) > room


COUNTS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


@given(COUNTS, st.integers(0, 1000), PRESET_NAMES)
def test_metrics_of_chunks_are_those_of_the_batch(counts: list[int], seed: int, name: str) -> None:
    values = [float((seed * (i + 3)) % 17) for i in range(sum(counts))]
    parts, at = [], 0
    for count in counts:
        own = values[at : at + count]
        at += count
        metrics = {
            "a:sum": sum(own),
            "b:mean": sum(own) / count,
            "c:min": min(own),
            "d:max": max(own),
        }
        parts.append(ForwardBackwardOutput("T", [{}] * count, metrics))
    whole = combine(parts, PRESETS[name])
    assert len(whole.loss_fn_outputs) == len(values)
    assert whole.metrics == {
        "a:sum": pytest.approx(sum(values)),
        "b:mean": pytest.approx(sum(values) / len(values)),
        "c:min": min(values),
        "d:max": max(values),
    }


@given(st.lists(st.integers(-(2**52), 2**52), min_size=1, max_size=6), st.randoms())
def test_hashes_ignore_order_only(values: list[int], random: object) -> None:
    floats = [float(value) for value in values]
    mixed = sorted(floats, key=lambda value: hash((value, str(random))))
    assert hash_unordered(floats, [], TINKEX) == hash_unordered(mixed, [], TINKEX)
    assert hash_unordered([*floats, 0.5], [], TINKEX) != hash_unordered(floats, [], TINKEX)


def test_clients_disagree_where_the_table_says() -> None:
    unknown = [({"x:median": 1.0}, 1), ({"x:median": 3.0}, 1)]
    assert reduce_metrics(unknown, PYTHON_LATEST) == {}
    assert reduce_metrics(unknown, TINKEX) == {"x:median": 2.0}
    for preset in (PYTHON_0_7, PYTHON_LATEST):
        with pytest.raises(ValidationError, match="exactly one colon"):
            reduce_metrics([({"loss": 1.0}, 1)], preset)
        with pytest.raises(ValidationError, match="undefined"):
            reduce_metrics([({"loss:mean": 1.0}, 0)], preset)
    hashes = [({"h:hash2": 5.0, "h:hash_unordered": 5.0}, 1)]
    assert reduce_metrics(hashes, PYTHON_LATEST).keys() == {"h:hash2"}
    assert reduce_metrics(hashes, PYTHON_0_7).keys() == {"h:hash_unordered"}
    assert reduce_metrics([({"h:hash2": -1.0}, 1)], PYTHON_LATEST) == {"h:hash2": 2.0**64}


def test_sparse_tensors_weigh_what_they_send() -> None:
    sparse = TensorData([1.0, 2.0], "float32", [2, 4], [0, 1, 2], [3, 0])
    assert tensor_bytes(sparse, PYTHON_LATEST) == 2 * 4 + 5 * 8
    assert tensor_bytes(sparse, PYTHON_0_7) == 20
    assert sparse.to_numpy().tolist() == [[0, 0, 0, 1], [2, 0, 0, 0]]
    with pytest.raises(ValidationError, match="2-D shape"):
        replace(sparse, shape=[8]).to_numpy()
