"""CSR tensors, as JSON lists and as the arrays protobuf is decoded to."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service.tensors import dense_tensor


def csr(make: Callable[[list[int]], Any], columns: list[int] | None) -> dict[str, Any]:
    return {
        "data": np.array([5, 7], dtype=np.int64),
        "dtype": "int64",
        "shape": [2, 3],
        "sparse_crow_indices": make([0, 1, 2]),
        "sparse_col_indices": None if columns is None else make(columns),
    }


@pytest.mark.parametrize("make", [list, np.array], ids=["json", "protobuf"])
def test_both_forms_are_spread_out(make: Callable[[list[int]], Any]) -> None:
    assert dense_tensor(csr(make, [2, 0]), "x").tolist() == [[0, 0, 5], [7, 0, 0]]


@pytest.mark.parametrize("make", [list, np.array], ids=["json", "protobuf"])
@pytest.mark.parametrize("columns", [None, [], [1], [1, 3]], ids=str)
def test_columns_that_do_not_fit_are_named(make: Any, columns: list[int] | None) -> None:
    with pytest.raises(BadRequest, match=r"x\.sparse_col_indices"):
        dense_tensor(csr(make, columns), "x")
