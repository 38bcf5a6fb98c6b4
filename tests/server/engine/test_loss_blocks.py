"""Large arrays of a custom loss are worked on in blocks, with the result of one go."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tinker_mock.server import budget
from tinker_mock.server.budget import Budget, Memory, current
from tinker_mock.server.engine.training.custom_loss import blocks
from tinker_mock.server.engine.training.custom_loss.elementwise import ELEMENTWISE
from tinker_mock.server.engine.training.custom_loss.reductions import REDUCTIONS
from tinker_mock.server.engine.training.custom_loss.values import Leaf, Value, gradient_of

SHAPE = (30, 7, 5)
TWO = {
    *("add", "sub", "rsub", "mul", "div", "pow", "maximum", "minimum", "floordiv"),
    *("mod", "fmod", "remainder"),
    *("gt", "ge", "lt", "le", "eq", "ne", "logical_and", "logical_or", "logical_xor"),
}
INTEGERS = {"and_", "or_", "xor", "invert"}
OTHERS = {"where", "masked_fill", "clamp_min", "clamp_max"}
ONE = sorted(set(ELEMENTWISE) - TWO - INTEGERS - OTHERS)


@pytest.fixture
def leaf() -> Leaf:
    return Leaf(np.random.default_rng(3).uniform(0.2, 0.9, SHAPE))


def outcome(name: str, leaf: Leaf) -> tuple[Any, Any]:
    """What an operation makes of the leaf, and the gradient of its sum."""
    other = Value(np.linspace(0.3, 0.8, SHAPE[-1]))
    table = {**ELEMENTWISE, **REDUCTIONS}
    options = {"dim": 1} if name in ("logsumexp", "softmax", "log_softmax") else {}
    result = table[name](leaf, other) if name in TWO else table[name](leaf, **options)
    total = REDUCTIONS["sum"](ELEMENTWISE["mul"](result, 1.5))
    return result.array, gradient_of(total, leaf)


@pytest.mark.parametrize(
    "name",
    [
        *ONE,
        *sorted(TWO & set(ELEMENTWISE)),
        "logsumexp",
        "softmax",
        "log_softmax",
        "prod",
        "var",
        "norm",
    ],
)
def test_blocks_change_nothing(name: str, leaf: Leaf, monkeypatch: pytest.MonkeyPatch) -> None:
    with np.errstate(all="ignore"):
        whole = outcome(name, leaf)
        monkeypatch.setattr(blocks, "BLOCK", 4)
        parts = outcome(name, leaf)
    for one, other in zip(whole, parts, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize(
    ("height", "inner", "width"),
    [(1, 1, 1), (1, 20_000, 1), (3, 0, 2), (70, 130, 65), (200, 3, 1), (1, 3, 200), (65, 64, 63)],
)
def test_products_are_products(height: int, inner: int, width: int) -> None:
    luck = np.random.default_rng(1)
    left, right = luck.normal(size=(height, inner)), luck.normal(size=(inner, width))
    np.testing.assert_allclose(blocks.product(left, right), left @ right, rtol=1e-9, atol=1e-9)


def test_values_are_added_where_an_index_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 4)
    rows, columns = np.array([0, 2, 0, 0, 1, 2]), np.array([1, 1, 1, 0, 2, 2])
    given = np.arange(6.0)
    expected = np.zeros((3, 3))
    for row, column, value in zip(rows, columns, given, strict=True):
        expected[row, column] += value
    assert np.array_equal(blocks.added_at((3, 3), (rows, columns), given), expected)
    masked = blocks.added_at((6,), np.array([True, False, True, True, True, True]), given[:5])
    assert masked.tolist() == [0, 0, 1, 2, 3, 4]


@pytest.fixture
def looks() -> Iterator[list[int]]:
    """A number is added at every checkpoint."""
    found: list[int] = []
    own = Budget(3600, 1 << 40, Memory(1 << 40), rest=lambda: found.append(1))
    token = current.set(own)
    yield found
    current.reset(token)


@pytest.mark.parametrize("name", [*ONE, *sorted(TWO & set(ELEMENTWISE)), "softmax", "prod"])
def test_no_block_is_large(
    name: str, leaf: Leaf, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many checkpoints as there are blocks, at least: counted, whatever the machine does."""
    monkeypatch.setattr(blocks, "BLOCK", 10)
    assert budget.current.get() is not None
    with np.errstate(all="ignore"):
        outcome(name, leaf)
    assert len(looks) >= np.prod(SHAPE) / 10


def test_a_product_has_a_checkpoint_for_every_block(looks: list[int]) -> None:
    blocks.product(np.ones((256, 256)), np.ones((256, 256)))
    assert len(looks) >= 256**3 / blocks.MULTIPLICATIONS
    looks.clear()
    blocks.product(np.ones((1, 100_000)), np.ones((100_000, 1)))
    assert len(looks) >= 100_000 / blocks.VECTOR
