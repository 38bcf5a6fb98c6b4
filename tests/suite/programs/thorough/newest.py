"""What only newer releases have: provenance, traced losses, copies, handles, pictures, searches."""

import base64
import struct
import zlib
from operator import mul

from sampling import sequences_of
from saying import asked, known, plain, resolved, told
from tinker import types
from training import TEXT, WEIGHTS, datum, passed, understood

VISION = "Qwen/Qwen3.5-4B"
"""Takes a picture of 8 x 8 pixels as 64 tokens."""


def provenance(client):
    """A policy loss over a sample, with where its tokens came from."""
    if not hasattr(types, "PromptProvenanceSpan"):
        return
    text = [20 + place % 90 for place in range(400)]
    count = len(text) - 1
    made, said = datum(text, logprobs=[-1.0] * count, advantages=[0.5] * count)
    spans = (("prompt_tokens", types.PromptProvenanceSpan, 0, 4),
             ("sampled_tokens", types.SampledProvenanceSpan, 2, count - 4))  # fmt: skip
    built = [kind(sequence_id="seq", offset=at, length=size) for _, kind, at, size in spans]
    wire = [{"sequence_id": "seq", "offset": at, "length": size} for _, _, at, size in spans]
    made = made.with_provenance(model_input=built, loss_fn_inputs=built)
    said |= {"model_input_spans": wire, "loss_fn_input_spans": wire}
    understood(*passed(client.forward_backward, [(made, said)], "ppo"))


def traced(service, client, there):
    """A loss that the client computes, or that it uploads to be computed `there`."""
    if not hasattr(service, "create_custom_loss"):
        return

    def loss(logprobs, weights):
        total = -(logprobs * weights).sum()
        return total, {"custom/mine:sum": total * 2, "custom/part:mean": total / 4}

    handle = service.create_custom_loss(loss, {"logprobs": 1, "weights": 1}).result()
    data = [datum(weights=WEIGHTS), datum(TEXT[2:], 1, weights=WEIGHTS[2:])]
    given = [said for _, said in data]
    if there:
        line = asked("forward_backward", data=given, loss_fn="custom")
    else:
        asked("forward", data=given)
        bare = [{"model_input": one["model_input"]} for one in given]
        line = asked("forward_backward", data=bare, loss_fn="cross_entropy")
    found = client.forward_backward_custom([one for one, _ in data], handle).result()
    rows = [plain(one["logprobs"])["data"] for one in found.loss_fn_outputs]
    told(line, {"loss_fn_outputs": [{"logprobs": {"data": one}} for one in rows]})
    weights = [said["loss_fn_inputs"]["weights"]["data"] for said in given]
    totals = [-sum(map(mul, *both)) for both in zip(rows, weights, strict=True)]
    want = {"custom/mine:sum": 2 * sum(totals), "custom/part:mean": sum(totals) / 8}
    for name, value in want.items():
        if abs(found.metrics[name] - value) > 1e-3 * abs(value):
            raise AssertionError(f"{name} is {found.metrics[name]}, not {value}")


def copies(service, client, state):
    if hasattr(client, "save_weights_external"):
        options = known(client.save_weights_external, ttl_seconds=7200)
        line = asked("save_weights_external", path="outside", **options)
        path = told(line, client.save_weights_external("outside", **options).result()).path
        rest = service.create_rest_client()
        if hasattr(rest, "get_external_weights_urls"):
            urls = rest.get_external_weights_urls(path).result().urls
            if "adapter_config.json" not in urls:
                raise AssertionError(f"what was saved outside is at {urls}")
    rest = service.create_rest_client()
    if hasattr(rest, "copy_weights"):
        given = known(rest.copy_weights, destination_project_id="project-audit")
        if given:
            asked("copy_weights", source_path=state, **given)
            rest.copy_weights(state, **given).result()


def handed_over(sampler):
    """Another client of the same sampler draws what it draws."""
    if hasattr(sampler, "get_sampler_handle"):
        twin = type(resolved(sampler)).from_sampler_handle(sampler.get_sampler_handle())
        params = types.SamplingParams(max_tokens=5, seed=31)
        prompt = types.ModelInput.from_ints(tokens=TEXT)
        one, other = (
            [list(each.tokens) for each in who.sample(prompt, 2, params).result().sequences]
            for who in (sampler, twin)
        )
        if one != other:
            raise AssertionError(f"a client made of a handle draws {other}, not {one}")


def pictured(service):
    """A picture between two pieces of text."""
    sampler = resolved(service.create_sampling_client(base_model=VISION))
    picture = types.ImageChunk(
        data=png(), format="png", **known(types.ImageChunk, expected_tokens=64)
    )
    text = types.EncodedTextChunk(tokens=TEXT[:3])
    image = {"format": "png", "data": base64.b64encode(png()).decode()}
    line = asked("asample", prompt={"chunks": [{"tokens": TEXT[:3]}, image, {"tokens": TEXT[:3]}]})
    params = types.SamplingParams(max_tokens=3, seed=41)
    prompt = types.ModelInput(chunks=[text, picture, text])
    found = sampler.sample(prompt, num_samples=1, sampling_params=params).result()
    told(line, {"sequences": sequences_of(found)})
    client = resolved(service.create_lora_training_client(base_model=VISION, rank=2))
    length = prompt.length if hasattr(prompt, "length") else 6 + 64
    targets = [number % 90 + 10 for number in range(length)]
    made = types.Datum(model_input=prompt, loss_fn_inputs={"target_tokens": targets})
    size = known(types.ImageChunk, expected_tokens=64)
    chunks = [{"tokens": TEXT[:3]}, {**image, **size}, {"tokens": TEXT[:3]}]
    said = {
        "model_input": {"chunks": chunks},
        "loss_fn_inputs": {"target_tokens": {"data": targets}},
    }
    understood(*passed(client.forward, [(made, said)], "cross_entropy"))


def png():
    """A grey picture of 8 x 8 pixels."""

    def part(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = part(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * 8 for _ in range(8)))
    return base64.b64decode("iVBORw0KGgo=") + head + part(b"IDAT", rows) + part(b"IEND", b"")


def accounts(service):
    """Who one is, what was used, and what was found."""
    rest = service.create_rest_client()
    for name, operation in (
        ("get_current_checkpoint_storage_usage", "get_checkpoint_storage_usage"),
        ("get_audit_log", "get_audit_log"),
    ):
        if hasattr(rest, name):
            told(asked(operation), getattr(rest, name)().result())
    if hasattr(rest, "search_sessions") and hasattr(types, "SessionSearchRequest"):
        request = types.SessionSearchRequest(user_metadata={"team": "audit"}, limit=7)
        line = asked("search_sessions", user_metadata={"team": "audit"}, limit=7)
        told(line, rest.search_sessions(request).result())
