"""Judging a message and loading a contract, against the pure-Python validator and YAML.

make bench    (or: python tests/bench/bench_contract.py)
"""

import copy
import time
from collections.abc import Callable
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from tinker_mock.contracts import load_contract
from tinker_mock.contracts.bundle import CONTRACTS, bundle, read_document


def best_of(work: Callable[[], object], rounds: int) -> float:
    """Microseconds of the fastest round."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times) * 1e6


def training_body() -> Any:
    """A forward_backward request of about 9 kB: 4 data of 100 tokens."""
    body = copy.deepcopy(load_contract("tinker").operations["forward_backward"].example)
    (datum,) = body["forward_backward_input"]["data"]
    datum["model_input"]["chunks"] = [{"type": "encoded_text", "tokens": list(range(1000, 1100))}]
    datum["loss_fn_inputs"] = {
        "target_tokens": {"data": list(range(1001, 1101)), "dtype": "int64", "shape": [100]},
        "weights": {"data": [1.0] * 100, "dtype": "float32", "shape": [100]},
        "advantages": {"data": [0.25] * 100, "dtype": "float32", "shape": [100]},
        "logprobs": {"data": [-1.5] * 100, "dtype": "float32", "shape": [100]},
    }
    body["forward_backward_input"]["data"] = [datum] * 4
    return body


def main() -> None:
    contract = load_contract("tinker")
    operation, body = contract.operations["forward_backward"], training_body()
    components = {"components": contract.document["components"]}
    peer = Draft202012Validator({**components, **(operation.request_schema or {})})
    assert operation.check_request(body) == []
    assert peer.is_valid(body)

    size = len(orjson.dumps(body))
    ours = best_of(lambda: operation.check_request(body), 200)
    theirs = best_of(lambda: peer.is_valid(body), 10)
    print(f"check a {size} B forward_backward   {ours:9.1f} us")
    print(f"jsonschema (pure Python)          {theirs:9.1f} us   {theirs / ours:6.0f} x ours")
    named = best_of(lambda: operation.unknown_fields(body), 200)
    print(f"name its unknown fields           {named:9.1f} us")

    stored = best_of(lambda: read_document("tinker"), 20)
    parsed = best_of(lambda: bundle(CONTRACTS / "tinker"), 5)
    print(f"load the bundled contract         {stored:9.1f} us")
    print(f"parse its YAML chapters           {parsed:9.1f} us   {parsed / stored:6.0f} x ours")


if __name__ == "__main__":
    main()
