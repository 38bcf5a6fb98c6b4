"""What training takes and gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Datum:
    """One training example.

    `tokens` int64 [N]; positions of images or audio carry a negative id that stands for their
    content. `inputs` holds the loss's dense arrays by name (`target_tokens` [N] or [N, K],
    `weights`, `advantages`, ...).
    """

    tokens: NDArray[np.int64]
    inputs: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class LossResult:
    """`outputs[i]["logprobs"]`: float32 in the shape of datum i's targets.

    Metrics are named `name:reduction`; `loss:sum` is always there.
    """

    outputs: list[dict[str, NDArray[np.float32]]]
    metrics: dict[str, float]
    output_type: str
