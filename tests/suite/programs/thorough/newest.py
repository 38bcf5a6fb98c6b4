"""What only newer releases have: provenance, traced losses, copies, handles, pictures, searches."""

import base64
import struct
import zlib

from sampling import sequences_of
from saying import asked, known, resolved, told
from tinker import types
from training import COUNT, TEXT, WEIGHTS, datum, outputs_of, passed, understood

VISION = "Qwen/Qwen3.5-4B"
"""Takes a picture of 8 x 8 pixels as 64 tokens."""


def provenance(client):
    """A policy loss over a sample, with where its tokens came from."""
    if not hasattr(types, "PromptProvenanceSpan"):
        return
    made, said = datum(logprobs=[-1.0] * COUNT, advantages=WEIGHTS)
    spans = (("prompt_tokens", types.PromptProvenanceSpan, 0, 4),
             ("sampled_tokens", types.SampledProvenanceSpan, 2, COUNT - 4))  # fmt: skip
    built = [kind(sequence_id="seq", offset=at, length=size) for _, kind, at, size in spans]
    wire = [{"sequence_id": "seq", "offset": at, "length": size} for _, _, at, size in spans]
    made = made.with_provenance(model_input=built, loss_fn_inputs=built)
    said |= {"model_input_spans": wire, "loss_fn_input_spans": wire}
    understood(*passed(client.forward_backward, [(made, said)], "ppo"))


def traced(service, client):
    """A loss that the client traces, or computes itself where the server does not want it."""
    if not hasattr(service, "create_custom_loss"):
        return

    def loss(logprobs, weights):
        total = -(logprobs * weights).sum()
        return total, {"custom/mine:sum": total * 2}

    handle = service.create_custom_loss(loss, {"logprobs": 1, "weights": 1}).result()
    found = client.forward_backward_custom([datum(weights=WEIGHTS)[0]], handle).result()
    outputs = outputs_of(found)["loss_fn_outputs"]
    asked("forward")
    told(asked("forward_backward"), {"loss_fn_outputs": outputs})
    want = -2 * sum(w * lp for w, lp in zip(WEIGHTS, outputs[0]["logprobs"]["data"], strict=True))
    if abs(found.metrics["custom/mine:sum"] - want) > 1e-3 * abs(want):
        raise AssertionError(f"custom/mine:sum is {found.metrics['custom/mine:sum']}, not {want}")


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
