"""Tokenizer speed against the libraries underneath, on the same texts in the same process.

Each line names its peer; a ratio of 1.00 is the peer's own speed, more is faster. The real
tokenizers are used when TINKER_MOCK_TOKENIZERS (default: ../shared/tokenizers) has them, else the
small ones of the repository; llama2 and gemma3 (byte-fallback vocabularies) only if they are there.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import tiktoken
import tokenizers

from tinker_mock.tokenizer import (
    DecodeStream,
    StopSequenceDecoder,
    StopSequences,
    Tokenizer,
    load_tokenizer,
)
from tinker_mock.tokenizer.kimi import PATTERN
from tinker_mock.tokenizer.ranks import read_ranks

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures" / "tokenizers"
CORPUS = (FIXTURES / "corpus.txt").read_text("utf-8")
SHARED = Path(os.environ.get("TINKER_MOCK_TOKENIZERS") or ROOT.parent / "shared" / "tokenizers")
STOPS = StopSequences(stop_sequences=("\n\nHuman:", "<|never|>", "###"))


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class Compared(NamedTuple):
    """Best seconds of both, and the median of the ratios of neighbouring runs: neighbours share
    what else the machine is doing."""

    ours: float
    peer: float
    ratio: float


def compared(ours: Callable[[], Any], peer: Callable[[], Any], rounds: int = 21) -> Compared:
    pairs = []
    for turn in range(rounds):
        if turn % 2:
            peer_time, our_time = seconds(peer), seconds(ours)
        else:
            our_time, peer_time = seconds(ours), seconds(peer)
        pairs.append((our_time, peer_time))
    ratio = statistics.median(theirs / mine for mine, theirs in pairs)
    return Compared(min(mine for mine, _ in pairs), min(theirs for _, theirs in pairs), ratio)


def report(
    what: str, count: int, found: Compared, peer_name: str, least: float | None = None
) -> None:
    """`least` is the ratio that is promised."""
    promised = ""
    if least is not None:
        promised = f"   at least {least:.2f}: {'kept' if found.ratio >= least else 'NOT KEPT'}"
    print(
        f"{what:<34} {count / found.ours:>12,.0f} tokens/s   "
        f"{peer_name} {count / found.peer:>12,.0f}   ratio {found.ratio:.2f}{promised}"
    )


def directory(name: str, small: str) -> Path:
    return SHARED / name if (SHARED / name).is_dir() else FIXTURES / small


def bench_kimi_encode() -> None:
    path = directory("kimi_k2", "kimi_small")
    tokenizer = load_tokenizer(path)
    bare = tiktoken.Encoding(
        name="bare",
        pat_str=PATTERN,
        mergeable_ranks=read_ranks(path / "tiktoken.model"),
        special_tokens=dict(tokenizer.special_tokens.ids),
    )
    lines = CORPUS.splitlines() * 20
    for name, texts in (("long texts", [CORPUS] * 20), ("short texts", lines)):
        count = sum(len(ids) for ids in map(tokenizer.encode, texts))
        found = compared(
            lambda texts=texts: [tokenizer.encode(text) for text in texts],
            lambda texts=texts: [bare.encode(text, allowed_special="all") for text in texts],
        )
        report(f"Kimi encode, {name}", count, found, "tiktoken")
    texts = [CORPUS] * 64
    count = len(tokenizer.encode(CORPUS)) * len(texts)
    found = compared(
        lambda: tokenizer.encode_batch(texts),
        lambda: [tokenizer.encode(text) for text in texts],
    )
    report(f"Kimi encode_batch ({os.cpu_count()} cores)", count, found, "one by one")


def bench_huggingface_encode() -> None:
    path = directory("qwen3", "bytelevel_small")
    tokenizer = load_tokenizer(path)
    bare = tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
    texts = CORPUS.splitlines() * 5
    count = sum(len(ids) for ids in tokenizer.encode_batch(texts))
    found = compared(
        lambda: [tokenizer.encode(text) for text in texts],
        lambda: [bare.encode(text).ids for text in texts],
    )
    report(f"{path.name} encode", count, found, "tokenizers")
    found = compared(
        lambda: tokenizer.encode_batch(texts),
        lambda: [encoding.ids for encoding in bare.encode_batch(texts)],
    )
    report(f"{path.name} encode_batch", count, found, "tokenizers")


def streamed(tokenizer: Tokenizer, ids: list[int]) -> None:
    step = DecodeStream(tokenizer).step
    for token_id in ids:
        step(token_id)


def stopped(tokenizer: Tokenizer, ids: list[int], stops: StopSequences = STOPS) -> None:
    process = StopSequenceDecoder(tokenizer, stops).process
    for token_id in ids:
        process(token_id)


def bench_decode_stream() -> None:
    fallback = [(name, "fallback_small") for name in ("none", "llama2", "gemma3")]
    for name, small in (("qwen3", "bytelevel_small"), *fallback):
        path = directory(name, small)
        if name != "none" and small == path.name == "fallback_small":
            continue
        tokenizer = load_tokenizer(path)
        bare = tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
        ids = tokenizer.encode(CORPUS) * 5

        def native(bare: Any = bare, ids: list[int] = ids) -> None:
            stream = tokenizers.decoders.DecodeStream(skip_special_tokens=False)
            for token_id in ids:
                stream.step(bare, token_id)

        found = compared(lambda t=tokenizer, i=ids: streamed(t, i), native)
        least = None if small == "bytelevel_small" else 0.9
        report(f"DecodeStream, {path.name}", len(ids), found, "tokenizers", least)


def many_stops(count: int) -> StopSequences:
    return StopSequences(stop_sequences=tuple(f"\n\nstop{number}:" for number in range(count)))


def bench_stops() -> None:
    """64 stop strings against 4 (at least 0.33), and 4 against none."""
    tokenizer = load_tokenizer(directory("qwen3", "bytelevel_small"))
    ids = tokenizer.encode(CORPUS) * 5
    for count, peer, least in ((64, 4, 1 / 3), (4, 0, None)):
        found = compared(
            partial(stopped, tokenizer, ids, many_stops(count)),
            partial(stopped, tokenizer, ids, many_stops(peer)),
        )
        report(f"StopSequenceDecoder, {count} stops", len(ids), found, f"{peer} stops", least)


def bench_length() -> None:
    """Seconds per token of long streams against short ones."""
    tokenizer = load_tokenizer(directory("kimi_k2", "kimi_small"))
    ids = tokenizer.encode(CORPUS) * 200
    long, short = ids[:100_000], ids[:1_000]
    for what, work in (("DecodeStream", streamed), ("StopSequenceDecoder", stopped)):

        def many(work: Any = work) -> None:
            for _ in range(100):
                work(tokenizer, short)

        found = compared(partial(work, tokenizer, long), many, rounds=7)
        report(f"{what}, one of 100,000", len(long), found, "100 of 1,000")


def main() -> int:
    bench_kimi_encode()
    bench_huggingface_encode()
    bench_decode_stream()
    bench_stops()
    bench_length()
    return 0


if __name__ == "__main__":
    sys.exit(main())
