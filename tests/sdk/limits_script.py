"""What the catalogue forbids, and what the SDK makes of it: one JSON object on one line."""

import base64
import json
import struct
import time
import zlib

import tinker
from tinker import types

MODEL, VISION, RETIRED = "Qwen/Qwen3-8B", "Qwen/Qwen3.5-4B", "meta-llama/Llama-3.2-1B"


def tensor(values, dtype):
    return types.TensorData(data=values, dtype=dtype, shape=[len(values)])


def datum(size):
    return types.Datum(
        model_input=types.ModelInput.from_ints([5] * size),
        loss_fn_inputs={
            "target_tokens": tensor([6] * size, "int64"),
            "weights": tensor([1.0] * size, "float32"),
        },
    )


def png(width, height):
    def part(kind, content):
        framed = kind + content
        return struct.pack(">I", len(content)) + framed + struct.pack(">I", zlib.crc32(framed))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes(width) for _ in range(height)))
    parts = part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")
    return base64.b64decode("iVBORw0KGgo=") + parts


def pictured(expected):
    chunk = types.ImageChunk(data=png(224, 224), format="png", expected_tokens=expected)
    text = types.EncodedTextChunk(tokens=[5, 6, 7])
    return types.ModelInput(chunks=[text, chunk, text])


def told(attempt):
    """What came of it: the exception's type and message, or nothing; and in how many seconds."""
    begin = time.monotonic()
    try:
        made = attempt()
        if hasattr(made, "result"):
            made.result()
        found = {"type": None, "message": ""}
    except Exception as error:
        found = {"type": type(error).__name__, "message": str(error)}
    return {**found, "seconds": time.monotonic() - begin}


def main():
    service = tinker.ServiceClient()
    training = service.create_lora_training_client(base_model=MODEL, rank=8)
    sampling = service.create_sampling_client(base_model=MODEL)
    vision = service.create_sampling_client(base_model=VISION)

    def sample(client, prompt, **more):
        params = types.SamplingParams(max_tokens=16)
        return client.sample(prompt=prompt, num_samples=1, sampling_params=params, **more)

    def ints(size):
        return types.ModelInput.from_ints([5] * size)

    def create(**config):
        return service.create_lora_training_client(**{"base_model": MODEL, "rank": 8, **config})

    def from_path(path):
        return sample(service.create_sampling_client(model_path=path), ints(3))

    state = training.save_state("kept").result().path
    weights = training.save_weights_for_sampler("sampled").result().path
    attempts = {
        "a sequence too long": lambda: training.forward_backward(
            [datum(4), datum(32_769)], "cross_entropy"
        ),
        "the step after it": lambda: training.forward_backward([datum(4)], "cross_entropy"),
        "a prompt too long": lambda: sample(sampling, ints(33_000)),
        "too many tokens": lambda: sample(sampling, ints(32_760)),
        "the sample after it": lambda: sample(sampling, ints(3)),
        "a rank of 48": lambda: create(rank=48),
        "a retired model trained": lambda: create(base_model=RETIRED),
        "a retired model sampled": lambda: sample(
            service.create_sampling_client(base_model=RETIRED), ints(3)
        ),
        "a variant nobody offers": lambda: create(base_model=f"{MODEL}:peft:999"),
        "training state sampled": lambda: from_path(state),
        "sampler weights sampled": lambda: from_path(weights),
        "sampler weights trained": lambda: service.create_training_client_from_state(weights),
        "training state trained": lambda: service.create_training_client_from_state(state),
        "21 alternatives": lambda: sample(
            sampling, ints(3), include_prompt_logprobs=True, topk_prompt_logprobs=21
        ),
        "a picture for a text model": lambda: sample(sampling, pictured(64)),
        "a picture miscounted": lambda: sample(vision, pictured(63)),
        "a picture": lambda: sample(vision, pictured(64)),
    }
    print(json.dumps({name: told(attempt) for name, attempt in attempts.items()}))


main()
