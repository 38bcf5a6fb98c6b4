"""KimiTransformer on large streams: seconds per byte must not depend on how large they are.

Each line compares four megabytes with one (a ratio of 1.00 is linear, 0.25 would be quadratic),
and one megabyte with parsing its JSON alone.
"""

import json
import sys
import time
from collections.abc import Callable

from tinker_mock.kimi import KimiTransformer

REQUEST = {"messages": [], "tools": []}
SECTION = "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>"


def event(delta: dict[str, object], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n"


def call(arguments: str, **more: object) -> bytes:
    return event({"tool_calls": [{"index": 0, "function": {"arguments": arguments, **more}}]})


def one_frame(size: int) -> bytes:
    return call("z" * size, name="f") + event({}, "stop")


def fragments(size: int) -> bytes:
    return call("", name="f") + call("z" * 200) * (size // 200) + event({}, "stop")


def marked(size: int) -> bytes:
    texts = event({"content": "z" * 200}) * (size // 200)
    return event({"content": SECTION}) + texts + event({}, "stop")


def seconds(body: bytes, size: int, options: dict[str, object]) -> float:
    """Of the best of three runs, in pieces of `size` bytes."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        stream = KimiTransformer(options).stream("text/event-stream", REQUEST)
        assert stream is not None
        for at in range(0, len(body), size):
            stream.feed(body[at : at + size])
        stream.finish()
        best = min(best, time.perf_counter() - started)
    return best


def parsing(body: bytes) -> float:
    started = time.perf_counter()
    for line in body.split(b"\n"):
        if line.startswith(b"data: {"):
            json.loads(line[6:])
    return time.perf_counter() - started


ROWS: dict[str, tuple[Callable[[int], bytes], int, dict[str, object]]] = {
    "one frame in pieces of 1 kB": (one_frame, 1_000, {}),
    "a call in fragments": (fragments, 64_000, {}),
    "assembleToolDeltas": (fragments, 64_000, {"assembleToolDeltas": True}),
    "manualToolParsing": (marked, 64_000, {"manualToolParsing": True}),
}


def main() -> int:
    for what, (make, size, options) in ROWS.items():
        one, four = make(1_000_000), make(4_000_000)
        quick, slow = seconds(one, size, options), seconds(four, size, options)
        speed, linear = len(one) / quick / 1e6, 4 * quick / slow
        print(
            f"{what:<30} {speed:>8.1f} MB/s   4 MB against 1 MB {linear:.2f}"
            f"   json.loads {parsing(one) / quick:.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
