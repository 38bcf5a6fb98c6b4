"""`Datum`: a model input and the tensors its loss needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tinker_mock.client.errors import invalid
from tinker_mock.client.types.model_input import ModelInput
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


@dataclass(frozen=True, slots=True)
class Datum:
    """One training example: inputs of N positions, loss tensors of N rows."""

    model_input: ModelInput
    loss_fn_inputs: Mapping[str, TensorData]

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
    if hasattr(value, "dtype"):
        return TensorData.from_array(value, KEY_DTYPES.get(name))
    if name not in KEY_DTYPES:
        known = ", ".join(KEY_DTYPES)
        raise invalid(
            f"loss_fn_inputs[{name!r}]: a plain list needs a known name ({known}); "
            "pass an array or TensorData for others"
        )
    return TensorData.from_array(value, KEY_DTYPES[name])
