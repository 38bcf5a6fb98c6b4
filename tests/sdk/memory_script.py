"""What anybody tries first: overfit questions and pictures, ask, reward, prefer, forget.

Nothing in it knows that the service is simulated. It prints what it saw as one line of JSON.
"""

import json
import struct
import zlib

import tinker
from tinker import types

MODEL, VISION, INKLING = "Qwen/Qwen3-8B", "Qwen/Qwen3.5-9B", "thinkingmachines/Inkling-Small"
PICTURE_TOKENS = 64
"""Of a picture of 256 x 256 pixels, by the model's processor."""
START, END, NEWLINE, USER, ASSISTANT = 151644, 151645, 198, 872, 77091
HEADER = [END, NEWLINE, START, ASSISTANT, NEWLINE, 151667, 271, 151668, 271]


def picture(colour):
    """256 x 256 pixels of one colour, as a PNG."""
    rows = b"".join(b"\0" + bytes(colour) * 256 for _ in range(256))

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", 256, 256, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def question(number):
    """Questions begin with words of their own and end alike."""
    own = [3000 + 97 * number + place for place in range(5)]
    return [START, USER, NEWLINE, *own, *range(600, 620), *HEADER]


def answer(number):
    return [*(9000 + 31 * number + place for place in range(1 + number % 5)), END]


def tensor(values, dtype):
    return types.TensorData(data=values, dtype=dtype, shape=[len(values)])


def datum(prompt, completion, weight=1.0):
    whole = prompt + completion
    size, start = len(whole) - 1, len(prompt) - 1
    weights = [0.0] * start + [weight] * (size - start)
    return types.Datum(
        model_input=types.ModelInput.from_ints(whole[:-1]),
        loss_fn_inputs={
            "target_tokens": tensor(whole[1:], "int64"),
            "weights": tensor(weights, "float32"),
        },
    )


def step(training, data, rate, loss="cross_entropy"):
    forward = training.forward_backward(data, loss)
    update = training.optim_step(types.AdamParams(learning_rate=rate))
    metrics = forward.result().metrics
    update.result()
    return metrics["loss:sum"]


def sampler_of(training):
    return training.save_weights_and_get_sampling_client(name="now")


def asked(sampler, prompts, **params):
    """One request each, all under way together."""
    futures = [
        sampler.sample(
            prompt=p if isinstance(p, types.ModelInput) else types.ModelInput.from_ints(p),
            num_samples=1,
            sampling_params=types.SamplingParams(**params),
        )
        for p in prompts
    ]
    return [f.result().sequences[0] for f in futures]


def questions(service, count, rate):
    training = service.create_lora_training_client(base_model=MODEL, rank=32)
    data = [datum(question(n), answer(n)) for n in range(count)]
    tokens = sum(len(answer(n)) for n in range(count))
    steps = 0
    while step(training, data, rate) / tokens > 0.03 and steps < 150:
        steps += 1
    told = asked(sampler_of(training), map(question, range(count)), max_tokens=8, temperature=0.0)
    right = sum(list(s.tokens) == answer(n) for n, s in enumerate(told))
    return {"steps": steps, "right": right}, training


def short_among_long(service):
    """Inkling's turns, three answers of two words among long ones, until the loss is below 0.1."""
    training = service.create_lora_training_client(base_model=INKLING, rank=32)
    prompts = [[200000, *question(n)[3:28], 200010] for n in range(24)]
    words = [[9000 + 31 * n + place for place in range(9 if n % 8 else 2)] for n in range(24)]
    answers = [[200001, 200004, *said, 200010, 200006] for said in words]
    data = [datum(*pair) for pair in zip(prompts, answers, strict=True)]
    while step(training, data, 1e-4) / sum(map(len, answers)) > 0.1:
        pass
    told = asked(sampler_of(training), prompts, max_tokens=20, temperature=0.0)
    return [list(s.tokens) for s in told] == answers


def forget(training):
    """The first two questions again, with negative weights; the others go on."""
    data = [datum(question(n), answer(n), -1.0 if n < 2 else 1.0) for n in range(8)]
    for _ in range(150):
        step(training, data, 2e-4)
    told = asked(sampler_of(training), map(question, range(8)), max_tokens=8, temperature=0.0)
    return [list(s.tokens) == answer(n) for n, s in enumerate(told)]


def rewards(service, loss):
    """Four prompts, four right answers; group-relative advantages."""
    training = service.create_lora_training_client(base_model=MODEL, rank=32)
    means = []
    for _ in range(40):
        sampler, data, means = sampler_of(training), [], []
        prompts = [question(n) for n in range(4) for _ in range(12)]
        told = asked(sampler, prompts, max_tokens=2, temperature=1.0, stop=[])
        for group in range(4):
            mine = told[12 * group : 12 * group + 12]
            reward = [float(any(t % 4 == group for t in s.tokens)) for s in mine]
            means.append(sum(reward) / 12)
            for s, r in zip(mine, reward, strict=True):
                data.append(rollout(question(group), s, r - means[-1]))
        step(training, data, 3e-4, loss)
    return means


def rollout(prompt, sequence, advantage):
    whole = prompt + list(sequence.tokens)
    before, size = len(prompt) - 1, len(sequence.tokens)
    return types.Datum(
        model_input=types.ModelInput.from_ints(whole[:-1]),
        loss_fn_inputs={
            "target_tokens": tensor(whole[1:], "int64"),
            "logprobs": tensor([0.0] * before + list(sequence.logprobs), "float32"),
            "advantages": tensor([0.0] * before + [advantage] * size, "float32"),
        },
    )


def pictures(service):
    """Two colours, two labels, the same words; the answers of 20 requests for each."""
    training = service.create_lora_training_client(base_model=VISION, rank=32)
    labels = {(255, 0, 0): 1111, (0, 0, 255): 2222}

    def shown(colour):
        text = types.EncodedTextChunk(tokens=[5, 6, 7])
        image = types.ImageChunk(data=picture(colour), format="png")
        return types.ModelInput(chunks=[text, image, types.EncodedTextChunk(tokens=[8, 9])])

    size = 5 + PICTURE_TOKENS
    data = [
        types.Datum(
            model_input=shown(colour),
            loss_fn_inputs={
                "target_tokens": tensor([0] * (size - 1) + [label], "int64"),
                "weights": tensor([0.0] * (size - 1) + [1.0], "float32"),
            },
        )
        for colour, label in labels.items()
    ]
    while step(training, data * 4, 5e-4) > 0.02:
        pass
    sampler = sampler_of(training)
    told = {
        str(label): [s.tokens[0] for s in asked(sampler, [shown(colour)] * 20, max_tokens=1)]
        for colour, label in labels.items()
    }
    return all(token == int(label) for label, tokens in told.items() for token in tokens)


def main():
    service = tinker.ServiceClient()
    four, _ = questions(service, 4, 1e-4)
    many, _ = questions(service, 64, 5e-4)
    eight, remembered = questions(service, 8, 2e-4)
    print(
        json.dumps(
            {
                "version": tinker.__version__,
                "four": four,
                "many": many,
                "eight": eight,
                "short": short_among_long(service),
                "kept": forget(remembered),
                "importance_sampling": rewards(service, "importance_sampling"),
                "ppo": rewards(service, "ppo"),
                "pictures": pictures(service),
            }
        )
    )


main()
