"""Samples with every option, and what is told of prompts."""

from saying import PRESET, asked, known, plain, told
from tinker import types

TEXT = [9707, 11, 1879, 13, 358, 1079, 264, 2613]
PARAMS = (
    {"max_tokens": 6, "temperature": 0.75, "top_k": 40, "top_p": 0.875, "seed": 11},
    {"max_tokens": 40, "temperature": 0.9, "seed": 12, "stop": [13, 11, 0]},
    {"max_tokens": 12, "temperature": 1.1, "seed": 13, "stop": []},
    {"max_tokens": 300, "seed": 14},
)
USUAL = {"temperature": 1.0, "top_k": -1, "top_p": 1.0}
TARGETS = [token for at in TEXT[1:] for token in (at, 42)]


def prompt():
    chunks = [types.EncodedTextChunk(tokens=TEXT[:3]), types.EncodedTextChunk(tokens=TEXT[3:])]
    return types.ModelInput(chunks=chunks)


def ask(sampler, count, options, **extra):
    """A sample under way, and its line in the report."""
    given = known(sampler.sample, **extra)
    said = {"prompt": {"chunks": [{"tokens": TEXT[:3]}, {"tokens": TEXT[3:]}]},
            "sampling_params": options, "num_samples": count}  # fmt: skip
    wire = {"include_prompt_logprobs": "prompt_logprobs"}
    said |= {wire.get(name, name): plain(value) for name, value in given.items()}
    usual = {name: value for name, value in USUAL.items() if name not in options}
    line = asked("asample", **said, usual={"sampling_params": usual})
    params = types.SamplingParams(**options)
    return line, sampler.sample(prompt(), num_samples=count, sampling_params=params, **given)


def sequences_of(found):
    return [
        {
            "tokens": list(one.tokens),
            "logprobs": [float(value) for value in one.logprobs or ()],
            "stop_reason": str(one.stop_reason),
        }
        for one in found.sequences
    ]


def sample(sampler):
    for line, one in [ask(sampler, 3, options) for options in PARAMS]:
        told(line, {"sequences": sequences_of(one.result())})


def told_of_prompt(sampler):
    targets = types.TensorData(data=TARGETS, dtype="int64", shape=[len(TEXT) - 1, 2])
    extra = {"include_prompt_logprobs": True, "topk_prompt_logprobs": 3}
    newer = {
        "topk_sample_logprobs": 2, "target_prompt_logprobs": targets, "prompt_alt_tokens_k": 2
    }  # fmt: skip
    extra |= {} if PRESET else newer
    line, under_way = ask(sampler, 1, {"max_tokens": 3, "seed": 21}, **extra)
    found = under_way.result()
    answer = {"prompt_logprobs": list(found.prompt_logprobs), "sequences": sequences_of(found)}
    answer["topk_prompt_logprobs"] = plain(found.topk_prompt_logprobs)
    for name in ("target_prompt_logprobs", "prompt_alt_tokens", "prompt_cache_hit_tokens"):
        if getattr(found, name, None) is not None:
            answer[name] = plain(getattr(found, name))
    if "prompt_alt_tokens" in answer:
        drawn = answer["prompt_alt_tokens"].items()
        answer["prompt_alt_tokens"] = {name: {"data": flat(one)} for name, one in drawn}
    if getattr(found.sequences[0], "topk_logprobs", None) is not None:
        answer["sequences"][0]["topk_logprobs"] = plain(found.sequences[0].topk_logprobs)
    told(line, answer)


def flat(tensor):
    """The values of a tensor, which is a matrix in some releases."""
    return tensor["data"] if isinstance(tensor, dict) else [one for row in tensor for one in row]


def computed(sampler):
    given = {} if PRESET else known(sampler.compute_logprobs, prompt_logprobs_last_n=3)
    line = asked("asample", prompt_logprobs=True, num_samples=1, **given)
    told(line, {"prompt_logprobs": list(sampler.compute_logprobs(prompt(), **given).result())})
