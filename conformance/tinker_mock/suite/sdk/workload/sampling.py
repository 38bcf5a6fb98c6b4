"""Sampling, with every option."""

import base64
import pickle
import struct
import zlib
from typing import Any

from tinker import types

from .step import (
    MODEL,
    TEXT,
    VISION,
    NotInRelease,
    Shared,
    close,
    datum,
    method,
    released,
    resolved,
    step,
    tensor,
    tokenized,
)

PROMPT = types.ModelInput.from_ints(TEXT[:6])


def sample(client: Any, count: int = 1, prompt: Any = PROMPT, **params: Any) -> list[Any]:
    options = types.SamplingParams(**{"max_tokens": 8, **params})
    response = client.sample(prompt=prompt, num_samples=count, sampling_params=options).result()
    return list(response.sequences)


@step("sampling/base-model", "create_sampling_client on a base model")
def base_model(shared: Shared) -> None:
    client = resolved(shared.service.create_sampling_client(base_model=MODEL))
    shared.keep("base", client)
    (sequence,) = sample(client)
    assert 0 < len(list(sequence.tokens)) <= 8
    assert len(list(sequence.logprobs)) == len(list(sequence.tokens))


@step("sampling/checkpoint", "create_sampling_client on a checkpoint")
def checkpoint(shared: Shared) -> None:
    client = resolved(shared.service.create_sampling_client(model_path=shared.sampler_path))
    shared.keep("sampler", client)
    assert sample(client)


@step("sampling/ephemeral", "sample from just-saved weights")
def ephemeral(shared: Shared) -> None:
    assert sample(shared.ephemeral)


@step("sampling/seed", "a seed repeats the sample, another seed does not")
def seed(shared: Shared) -> None:
    def tokens(seed: int) -> list[list[int]]:
        found = sample(shared.base, 2, seed=seed, temperature=1.0, max_tokens=16, stop=[])
        return [list(sequence.tokens) for sequence in found]

    assert tokens(5) == tokens(5)
    assert tokens(5) != tokens(6)


@step("sampling/num-samples", "eight sequences at once")
def num_samples(shared: Shared) -> None:
    assert len(sample(shared.base, 8)) == 8


@step("sampling/greedy", "temperature 0 is deterministic")
def greedy(shared: Shared) -> None:
    one, two = (list(sample(shared.base, temperature=0.0)[0].tokens) for _ in range(2))
    assert one == two


@step("sampling/top-k", "top_k 1 is the greedy choice")
def top_k(shared: Shared) -> None:
    greedy_tokens = list(sample(shared.base, temperature=0.0)[0].tokens)
    assert list(sample(shared.base, top_k=1, temperature=1.0)[0].tokens) == greedy_tokens


@step("sampling/top-p", "top_p")
def top_p(shared: Shared) -> None:
    assert sample(shared.base, top_p=0.5)


@step("sampling/stop-tokens", "stop at token ids; the stop token is part of the output")
def stop_tokens(shared: Shared) -> None:
    every = list(sample(shared.base, temperature=0.0, stop=[], max_tokens=6)[0].tokens)
    (found,) = sample(shared.base, temperature=0.0, stop=[every[2]], max_tokens=6)
    assert list(found.tokens) == every[: every.index(every[2]) + 1]
    assert str(found.stop_reason) == "stop"


@step("sampling/stop-strings", "stop at a string")
def stop_strings(shared: Shared) -> None:
    client = shared.service.create_sampling_client(base_model=tokenized())
    prompt = types.ModelInput.from_ints([10, 11, 12])
    for stop in ("e", ["e", "zz"]):
        (found,) = sample(client, prompt=prompt, stop=stop, max_tokens=200, seed=1)
        assert str(found.stop_reason) == "stop"


@step("sampling/no-stop", "stop=[] runs to max_tokens")
def no_stop(shared: Shared) -> None:
    (found,) = sample(shared.base, stop=[], max_tokens=64)
    assert len(list(found.tokens)) == 64
    assert str(found.stop_reason) == "length"


@step("sampling/end-of-turn", "without max_tokens a sample ends by itself")
def end_of_turn(shared: Shared) -> None:
    options = types.SamplingParams()
    reply = shared.base.sample(PROMPT, num_samples=1, sampling_params=options).result()
    assert str(reply.sequences[0].stop_reason) == "stop"


@step("sampling/compute-logprobs", "compute_logprobs, the same twice")
def compute_logprobs(shared: Shared) -> None:
    prompt = types.ModelInput.from_ints(TEXT)
    found = shared.base.compute_logprobs(prompt).result()
    assert len(found) == len(TEXT)
    assert found[0] is None
    again = shared.base.compute_logprobs(prompt).result()
    assert found == again


@step("sampling/prompt-logprobs", "prompt log-probabilities with the top k of each position")
def prompt_logprobs(shared: Shared) -> None:
    reply = shared.base.sample(
        PROMPT,
        num_samples=1,
        sampling_params=types.SamplingParams(max_tokens=1),
        include_prompt_logprobs=True,
        topk_prompt_logprobs=3,
    ).result()
    assert len(reply.prompt_logprobs) == 6
    rows = list(reply.topk_prompt_logprobs)
    assert rows[0] is None
    assert all(len(row) == 3 for row in rows[1:])
    for row in rows[1:]:
        assert [lp for _, lp in row] == sorted((lp for _, lp in row), reverse=True)


def with_option(shared: Shared, name: str, value: Any, **more: Any) -> Any:
    call = method(shared.base, "sample", name)
    options = types.SamplingParams(max_tokens=4, stop=[])
    return call(PROMPT, num_samples=1, sampling_params=options, **{name: value}, **more).result()


@step("sampling/topk-sample-logprobs", "topk_sample_logprobs")
def topk_sample_logprobs(shared: Shared) -> None:
    reply = with_option(shared, "topk_sample_logprobs", 2)
    rows = reply.sequences[0].topk_logprobs
    assert [len(row) for row in rows] == [2] * 4


@step("sampling/target-prompt-logprobs", "target_prompt_logprobs")
def target_prompt_logprobs(shared: Shared) -> None:
    targets = tensor([token for at in TEXT[1:6] for token in (at, 42)], "int64", [5, 2])
    reply = with_option(shared, "target_prompt_logprobs", targets, include_prompt_logprobs=True)
    found = reply.target_prompt_logprobs
    assert list(found.shape) == [5, 2]
    assert close([list(found.data)[::2]], [list(reply.prompt_logprobs)[1:]])


@step("sampling/prompt-alt-tokens", "prompt_alt_tokens_k")
def prompt_alt_tokens(shared: Shared) -> None:
    reply = with_option(shared, "prompt_alt_tokens_k", 2)
    assert list(reply.prompt_alt_tokens.tokens.shape) == [5, 2]


@step("sampling/prompt-logprobs-last-n", "prompt_logprobs_last_n")
def prompt_logprobs_last_n(shared: Shared) -> None:
    reply = with_option(shared, "prompt_logprobs_last_n", 2, include_prompt_logprobs=True)
    found = list(reply.prompt_logprobs)
    assert found[:4] == [None] * 4
    assert None not in found[4:]


@step("sampling/image", "an image in the prompt")
def image(shared: Shared) -> None:
    client = resolved(shared.service.create_sampling_client(base_model=VISION))
    chunk = types.ImageChunk(data=picture(), format="png", expected_tokens=64)
    text = types.EncodedTextChunk(tokens=TEXT[:3])
    assert sample(client, prompt=types.ModelInput(chunks=[text, chunk, text]))


def picture() -> bytes:
    """A grey 8x8 PNG."""

    def part(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = part(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * 8 for _ in range(8)))
    return base64.b64decode("iVBORw0KGgo=") + head + part(b"IDAT", rows) + part(b"IEND", b"")


@step("sampling/concurrent", "32 samples at once")
def concurrent(shared: Shared) -> None:
    options = types.SamplingParams(max_tokens=4)
    futures = [shared.base.sample(PROMPT, 1, options) for _ in range(32)]
    assert all(future.result().sequences for future in futures)


@step("sampling/cancel", "cancel a sample under way; the next one is served")
def cancel(shared: Shared) -> None:
    options = types.SamplingParams(max_tokens=2000, stop=[])
    future = shared.base.sample(PROMPT, 1, options)
    if not hasattr(future, "cancel"):
        raise NotInRelease("no cancel on the future of a sample")
    future.cancel()
    assert sample(shared.base)


@step("sampling/base-model-name", "get_base_model")
def base_model_name(shared: Shared) -> None:
    assert method(shared.sampler, "get_base_model")() == MODEL


@step("sampling/pickle", "a pickled client samples")
def pickled(shared: Shared) -> None:
    if not released("0.12"):
        raise NotInRelease("SamplingClient can not be pickled")
    clone = pickle.loads(pickle.dumps(shared.sampler))
    assert sample(clone)


@step("sampling/handle", "a client made from a sampler handle samples")
def handle(shared: Shared) -> None:
    text = method(shared.sampler, "get_sampler_handle")()
    assert sample(type(shared.sampler).from_sampler_handle(text))


@step(
    "losses/stable-reinforce",
    "a loss over a sample, with its provenance",
)
def stable_reinforce(shared: Shared) -> None:
    save = method(shared.training, "save_weights_and_get_sampling_client", "record_stability_info")
    client = save(record_stability_info=True)
    (found,) = sample(client, stop=[], max_tokens=4)
    tokens, old = list(found.tokens), list(found.logprobs)
    full = TEXT[:6] + tokens
    row = datum(full, logprobs=[0.0] * 5 + old, advantages=[0.0] * 5 + [1.0] * 4)
    prompt = types.PromptProvenanceSpan(sequence_id=found.sequence_id, length=6)
    sampled = types.SampledProvenanceSpan(sequence_id=found.sequence_id, length=3)
    targets = types.PromptProvenanceSpan(sequence_id=found.sequence_id, offset=1, length=5)
    whole = types.SampledProvenanceSpan(sequence_id=found.sequence_id, length=4)
    row = row.with_provenance(model_input=[prompt, sampled], loss_fn_inputs=[targets, whole])
    loss = "stable_reinforce" if released("0.35") else "importance_sampling"
    output = shared.training.forward_backward([row], loss).result()
    assert "loss:sum" in output.metrics
    shared.training.optim_step(types.AdamParams(learning_rate=1e-4)).result()
