"""The mistakes that users make, and what their SDK tells them: one JSON object on one line."""

import json

import tinker
from tinker import types

MODEL = "Qwen/Qwen3-8B"


def tensor(values, dtype):
    return types.TensorData(data=values, dtype=dtype, shape=[len(values)])


def datum(**inputs):
    return types.Datum(
        model_input=types.ModelInput.from_ints([11, 12, 13, 14]), loss_fn_inputs=inputs
    )


def train(training, **inputs):
    return training.forward_backward([datum(**inputs)], "cross_entropy").result()


def message_of(attempt):
    try:
        attempt()
    except Exception as error:
        return {"type": type(error).__name__, "message": str(error)}
    return {"type": None, "message": "no exception"}


def main():
    service = tinker.ServiceClient()

    def client():
        return service.create_lora_training_client(base_model=MODEL, rank=8)

    targets, weights = tensor([12, 13, 14, 15], "int64"), tensor([1.0] * 4, "float32")
    mistakes = {
        "unknown model": lambda: train(
            service.create_lora_training_client(base_model="Qwen/Qwen3-9B"), target_tokens=targets
        ),
        "missing target_tokens": lambda: train(client(), weights=weights),
        "wrong dtype": lambda: train(
            client(), target_tokens=tensor([1.5] * 4, "float32"), weights=weights
        ),
        "length mismatch": lambda: train(
            client(), target_tokens=tensor([1, 2], "int64"), weights=tensor([1.0] * 2, "float32")
        ),
        "unknown checkpoint": lambda: (
            service.create_sampling_client(
                model_path="tinker://nobody:train:0/sampler_weights/none"
            )
            .compute_logprobs(types.ModelInput.from_ints([1, 2]))
            .result()
        ),
        "token outside the vocabulary": lambda: train(
            client(), target_tokens=tensor([12, 13, 14, 999_999_999], "int64"), weights=weights
        ),
    }
    seen = {name: message_of(attempt) for name, attempt in mistakes.items()}
    seen["afterwards"] = train(client(), target_tokens=targets, weights=weights).metrics
    print(json.dumps(seen))


main()
