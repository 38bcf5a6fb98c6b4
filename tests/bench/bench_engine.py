"""Engine speed on one core: training against a plain softmax, sampling, independence of V.

make bench    (or: python tests/bench/bench_engine.py)
"""

import os
import time
from collections.abc import Callable

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np

from tinker_mock.server.engine import BaseModel, Datum, Sampler, SampleRequest, Trainer

BATCH, LENGTH = 128, 4096
PEER_VOCABULARY = 4096
WANTED_TRAINING, WANTED_SAMPLING = 1_000_000, 50_000


def best_of(work: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of one core that the fastest round took, whatever else the machine does."""
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


def text(vocabulary: int, rows: int, length: int, seed: int = 0) -> list[Datum]:
    """Tokens with the frequencies of language (Zipf)."""
    stream = np.random.default_rng(seed)
    data = []
    for _ in range(rows):
        tokens = (stream.zipf(1.2, length + 1) - 1) % vocabulary
        weights = np.ones(length, dtype=np.float32)
        data.append(Datum(tokens[:-1], {"target_tokens": tokens[1:], "weights": weights}))
    return data


def training(vocabulary: int, rows: int = BATCH) -> dict[str, float]:
    """Tokens a second of forward_backward (fresh and trained adapter) and with optim_step."""
    data = text(vocabulary, rows, LENGTH)
    tokens = rows * LENGTH
    trainer = Trainer(BaseModel(f"bench/{vocabulary}", vocabulary), rank=32)

    def forward_backward() -> None:
        trainer.forward_backward(data, "cross_entropy")
        trainer.pending = type(trainer.pending)()

    def whole_step() -> None:
        trainer.forward_backward(data, "cross_entropy")
        trainer.optim_step({"learning_rate": 1e-4})

    forward_backward()
    fresh = best_of(forward_backward)
    whole_step()
    whole = best_of(whole_step, 2)
    return {
        "fresh": tokens / fresh,
        "trained": tokens / best_of(forward_backward),
        "with optim_step": tokens / whole,
    }


def plain_softmax(positions: int, block: int = 1024) -> float:
    """Tokens a second of log-softmax and its gradient over dense logits [positions, 4096]."""
    stream = np.random.default_rng(0)
    logits = stream.standard_normal((block, PEER_VOCABULARY)).astype(np.float32)
    targets = stream.integers(0, PEER_VOCABULARY, block)
    rows = np.arange(block)

    def work() -> None:
        for _ in range(positions // block):
            shifted = logits - logits.max(axis=1, keepdims=True)
            gradient = np.exp(shifted)
            total = gradient.sum(axis=1, keepdims=True)
            _ = shifted[rows, targets] - np.log(total[:, 0])
            gradient /= total
            gradient[rows, targets] -= 1.0

    return positions / best_of(work, 1)


def sampling(vocabulary: int, **params: float) -> float:
    """Sampled tokens a second, 64 sequences at once, from a trained adapter."""
    base = BaseModel(f"bench/{vocabulary}", vocabulary)
    trainer = Trainer(base)
    trainer.forward_backward(text(vocabulary, 16, 512))
    trainer.optim_step({"learning_rate": 1e-3})
    sampler = Sampler(base, trainer.snapshot())
    request = SampleRequest(
        np.arange(32), num_samples=64, max_tokens=256, seed=1, stop=[], **params
    )  # type: ignore[arg-type]
    sampler.sample(request)
    return 64 * 256 / best_of(lambda: sampler.sample(request))


def main() -> None:
    """Print the table."""
    print(f"forward_backward, cross_entropy, {BATCH} x {LENGTH} tokens, one core")
    peer = plain_softmax(BATCH * LENGTH // 8)
    for vocabulary in (50_000, 200_000):
        for name, speed in training(vocabulary).items():
            ratio = f"{speed / peer:6.1f}x plain numpy softmax of {PEER_VOCABULARY}"
            print(f"  V={vocabulary:7,}  {name:16} {speed:12,.0f} tokens/s  {ratio}")
    print(f"  plain numpy log-softmax V={PEER_VOCABULARY:,}: {peer:12,.0f} tokens/s")
    print(f"  wanted: {WANTED_TRAINING:,}")
    quarter, full = training(50_000, BATCH // 4)["trained"], training(50_000)["trained"]
    print(f"  linear in tokens: {quarter:,.0f} tokens/s at a quarter of the batch, {full:,.0f}")
    print("sampling, 64 sequences at once, 256 tokens each, one core")
    for vocabulary in (50_000, 200_000):
        print(f"  V={vocabulary:7,}  temperature 1    {sampling(vocabulary):12,.0f} tokens/s")
    for label, params in (
        ("temperature 0.7", {"temperature": 0.7}),
        ("top_p 0.9", {"top_p": 0.9}),
        ("top_k 50", {"top_k": 50}),
        ("temperature 0", {"temperature": 0.0}),
    ):
        print(f"  V=200,000  {label:16} {sampling(200_000, **params):12,.0f} tokens/s")
    print(f"  wanted: {WANTED_SAMPLING:,}")


if __name__ == "__main__":
    main()
