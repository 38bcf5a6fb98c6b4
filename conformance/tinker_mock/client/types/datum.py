"""`Datum`: a model input and the tensors its loss needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tinker_mock.client.errors import ValidationError, invalid
from tinker_mock.client.types.model_input import ModelInput
from tinker_mock.client.types.provenance import ProvenanceSpan, check_tiling
from tinker_mock.client.types.tensors import TensorData, WireDtype

KEY_DTYPES: dict[str, WireDtype] = {
    "target_tokens": "int64",
    "weights": "float32",
    "advantages": "float32",
    "logprobs": "float32",
    "clip_low_threshold": "float32",
    "clip_high_threshold": "float32",
    "sequence_ratio_mask": "float32",
}
_SPARSE_KEYS = ("target_tokens", "weights")


@dataclass(frozen=True, slots=True)
class Datum:
    """One training example: inputs of N positions, loss tensors of N rows.

    Lists and arrays in `loss_fn_inputs` become tensors, as in `of`. The spans say which sampled
    sequences the tokens came from: see `with_provenance`.
    """

    model_input: ModelInput
    loss_fn_inputs: Mapping[str, Any]
    model_input_spans: Sequence[ProvenanceSpan] | None = field(
        default=None, metadata={"omit_null": True}
    )
    loss_fn_input_spans: Sequence[ProvenanceSpan] | None = field(
        default=None, metadata={"omit_null": True}
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "loss_fn_inputs", loss_tensors(self.loss_fn_inputs))
        if (self.model_input_spans is None) != (self.loss_fn_input_spans is None):
            raise invalid("provenance comes as a pair: set both span lists or neither")

    def with_provenance(
        self,
        model_input: Sequence[ProvenanceSpan],
        loss_fn_inputs: Sequence[ProvenanceSpan],
    ) -> "Datum":
        """A copy whose spans tile the input's tokens, and the target tokens, exactly.

        Raises `ValidationError` for spans that cover more or fewer positions.
        """
        check_tiling("model_input", model_input, self.model_input.length)
        targets = self.loss_fn_inputs.get("target_tokens")
        if targets is not None and targets.shape is not None and len(targets.shape) == 1:
            check_tiling("loss_fn_inputs", loss_fn_inputs, targets.shape[0])
        return replace(self, model_input_spans=model_input, loss_fn_input_spans=loss_fn_inputs)

    @classmethod
    def of(cls, model_input: ModelInput, **loss_fn_inputs: Any) -> "Datum":
        """Build one from lists and arrays.

        A plain list needs a known name, which fixes its dtype; arrays bring their own. Raises
        `ValidationError` naming the tensor.
        """
        return cls(model_input, loss_tensors(loss_fn_inputs))


def loss_tensors(inputs: Mapping[str, Any]) -> dict[str, TensorData]:
    """Convert each value by its name. Raises `ValidationError` for a list of unknown name."""
    return {name: _tensor(name, value) for name, value in inputs.items()}


def _tensor(name: str, value: Any) -> TensorData:
    if isinstance(value, TensorData):
        return value
    if isinstance(value, ModelInput):
        value = value.to_ints()
    if name in _SPARSE_KEYS and hasattr(value, "detach") and value.ndim == 2:
        return TensorData.from_torch_sparse(value)
    if hasattr(value, "dtype"):
        return TensorData.from_array(value, KEY_DTYPES.get(name))
    if name not in KEY_DTYPES:
        known = ", ".join(KEY_DTYPES)
        raise invalid(
            f"loss_fn_inputs[{name!r}]: a plain list needs a known name ({known}); "
            "pass an array or TensorData for others"
        )
    try:
        return TensorData.from_array(value, KEY_DTYPES[name])
    except ValidationError:
        raise
    except ValueError as error:
        raise invalid(f"loss_fn_inputs[{name!r}] must be a rectangular array: {error}") from None
