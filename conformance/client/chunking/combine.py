"""Results of chunks, put together as if there had been one request."""

import logging
from collections.abc import Sequence

from ..answers.work import ForwardBackwardOutput
from ..presets import Preset
from .metrics import reduce_metrics

logger = logging.getLogger(__name__)


def combine(results: Sequence[ForwardBackwardOutput], preset: Preset) -> ForwardBackwardOutput:
    """Outputs in chunk order, metrics reduced, the first chunk's output type."""
    kinds = {result.loss_fn_output_type for result in results}
    if len(kinds) > 1:
        logger.warning("chunks have mixed loss_fn_output_type: %s", ", ".join(sorted(kinds)))
    return ForwardBackwardOutput(
        results[0].loss_fn_output_type,
        [output for result in results for output in result.loss_fn_outputs],
        reduce_metrics(
            [(result.metrics, len(result.loss_fn_outputs)) for result in results], preset
        ),
    )
