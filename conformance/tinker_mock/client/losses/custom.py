"""Training on a loss the server does not know.

The gradient of any loss of the log-probabilities is that of a cross entropy with weights
-dLoss/dlogprob: so one forward pass, a gradient here, and one ordinary backward pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tinker_mock.client.errors import Category, ValidationError, invalid
from tinker_mock.client.losses.gradient import value_and_gradients
from tinker_mock.client.losses.output import CustomLossOutput
from tinker_mock.client.losses.pipeline import (
    DEFAULT_TIMEOUT,
    BaseLoss,
    check_names,
    compute_loss,
    total_loss,
)
from tinker_mock.client.losses.specification import RegularizerSpec
from tinker_mock.client.losses.threads import in_thread
from tinker_mock.client.types.datum import Datum
from tinker_mock.client.types.results import ForwardBackwardOutput
from tinker_mock.client.types.tensors import TensorData
from tinker_mock.client.watch.events import EventHub

Backend = Literal["numpy", "torch"]


@dataclass(frozen=True, slots=True)
class CustomLoss:
    """`loss(data, logprobs) -> loss or (loss, metrics)`, with penalties.

    `logprobs` is a list with one array per datum, shaped as its target tokens. With numpy they are
    followed by autograd: use operators, methods, and the functions of `array_namespace(x)`.
    """

    loss: BaseLoss
    regularizers: Sequence[RegularizerSpec] = ()
    track_grad_norms: bool = False
    backend: Backend = "numpy"
    parallel: bool = True
    timeout: float | None = DEFAULT_TIMEOUT

    def __post_init__(self) -> None:
        if not callable(self.loss):
            raise invalid(f"a custom loss is a function of (data, logprobs), got {self.loss!r}")
        check_names(self.regularizers)

    async def evaluate(
        self,
        data: Sequence[Datum],
        forward: ForwardBackwardOutput,
        events: EventHub | None = None,
    ) -> tuple[CustomLossOutput, list[Datum]]:
        """The loss of a forward pass, and the data for the backward pass.

        Tells of its start, stop or exception as `custom_loss.…`.
        """
        hub = events or EventHub()
        with hub.span("custom_loss", regularizers=len(self.regularizers)) as told:
            logprobs = [self._array(one) for one in per_datum_logprobs(forward, data)]
            output = await compute_loss(
                self.loss,
                data,
                logprobs,
                self.regularizers,
                track_grad_norms=self.track_grad_norms,
                parallel=self.parallel,
                timeout=self.timeout,
                events=hub,
            )
            told["loss"] = output.loss_total
            total = total_loss(self.loss, data, self.regularizers)
            _, slopes = await in_thread(
                value_and_gradients, lambda *parts: total(list(parts)), logprobs
            )
        return output, [
            backward_datum(datum, slope) for datum, slope in zip(data, slopes, strict=True)
        ]

    def _array(self, tensor: TensorData) -> Any:
        array = tensor.to_numpy().astype(np.float64)
        if self.backend == "numpy":
            return array
        import torch

        return torch.from_numpy(array)


def forward_datum(datum: Datum) -> Datum:
    """What the forward pass needs: the targets, and weights (zeros if there are none)."""
    targets = datum.loss_fn_inputs.get("target_tokens")
    if targets is None:
        raise invalid("a custom loss needs target_tokens in every datum")
    weights = datum.loss_fn_inputs.get("weights")
    if weights is None:
        weights = TensorData([0.0] * len(targets.data), "float32", targets.shape)
    return replace(datum, loss_fn_inputs={"target_tokens": targets, "weights": weights})


def backward_datum(datum: Datum, slope: Any) -> Datum:
    """The same inputs and targets, weighted by minus the gradient."""
    values = np.asarray(slope.detach().cpu() if hasattr(slope, "detach") else slope)
    weights = TensorData.from_array(-values.astype(np.float32))
    targets = datum.loss_fn_inputs["target_tokens"]
    return replace(datum, loss_fn_inputs={"target_tokens": targets, "weights": weights})


def per_datum_logprobs(forward: ForwardBackwardOutput, data: Sequence[Datum]) -> list[TensorData]:
    """The `logprobs` of each output. Raises `ValidationError` if some are missing."""
    if len(forward.loss_fn_outputs) != len(data):
        raise _bad(f"{len(forward.loss_fn_outputs)} outputs for {len(data)} data")
    try:
        return [output["logprobs"] for output in forward.loss_fn_outputs]
    except KeyError:
        raise _bad("the forward pass gave no 'logprobs'") from None


def merged_metrics(
    server: ForwardBackwardOutput, custom: CustomLossOutput, *, modern: bool
) -> dict[str, float]:
    """Metrics of both; the custom ones win. In modern clients `loss:sum` is the custom loss and
    the server's own moves to `surrogate_loss:sum`."""
    metrics = dict(server.metrics)
    if modern and "loss:sum" in metrics:
        metrics["surrogate_loss:sum"] = metrics.pop("loss:sum")
        metrics["loss:sum"] = custom.loss_total
    own = {name: float(value) for name, value in custom.base_metrics.items() if _numeric(value)}
    return metrics | own | (custom.metrics() if custom.regularizers else {})


def _numeric(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _bad(message: str) -> ValidationError:
    return ValidationError(message, category=Category.SERVER)
