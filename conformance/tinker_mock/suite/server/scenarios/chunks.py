"""Chunks that are no text: pictures, pointers to pictures, sounds."""

import base64
from collections.abc import Iterator
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_all_close, expect_equal
from tinker_mock.suite.oracle.picture_files import jpeg, png
from tinker_mock.suite.oracle.pictures import PROCESSORS, SIZES, Count
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario

BEFORE, AFTER = (11, 12, 13), (21, 22, 23, 24)
RETRIED = (408, 409, 429)
Chunk = dict[str, Any]


def picture(content: bytes, form: str = "png", **fields: Any) -> Chunk:
    """An image chunk."""
    return {"type": "image", "data": base64.b64encode(content).decode(), "format": form, **fields}


def around(*chunks: Chunk) -> dict[str, Any]:
    """A prompt with text on both sides."""
    return {"chunks": [text_chunk(BEFORE), *chunks, text_chunk(AFTER)]}


def text_chunk(tokens: tuple[int, ...]) -> Chunk:
    return {"type": "encoded_text", "tokens": list(tokens)}


class Viewer:
    """A sampling session of a model that takes pictures."""

    def __init__(self, context: ScenarioContext) -> None:
        self.context = context
        self.base, self.count = model_with_eyes(context)
        context.base_model = self.base
        self.session = context.session()
        self.sampler = context.sampler(self.session)
        self._numbers = iter(range(1, 1000))

    def ask(self, prompt: dict[str, Any], wrong: bool = False) -> Outcome:
        """The prompt's log-probabilities, whatever comes of it."""
        fields = {"prompt": prompt, "max_tokens": 1, "prompt_logprobs": True}
        body = bodies.sample(self.sampler, next(self._numbers), **fields)
        return self.context.submit("asample", body, wrong=wrong).outcome()

    def size(self, *chunks: Chunk) -> int:
        """The positions that chunks take."""
        found = self.ask(around(*chunks)).at("/prompt_logprobs")
        return len(found) - len(BEFORE) - len(AFTER)


def model_with_eyes(context: ScenarioContext) -> tuple[str, Count]:
    """A model on offer that is known to take pictures; Inapplicable without one."""
    offered = context.client.call("get_server_capabilities").require().at("/supported_models")
    for begin, count in PROCESSORS.items():
        for one in offered:
            if str(one.get("model_name")).startswith(begin):
                return str(one["model_name"]), count
    raise Inapplicable("no model on offer is known to take pictures")


def refused(outcome: Outcome) -> bool:
    """Whether something was refused for good, as the user's mistake."""
    status = outcome.reply.status
    return outcome.failed and status < 500 and status not in RETRIED


@scenario("sampling/chunks")
def chunks(context: ScenarioContext) -> None:
    """Pictures take positions, and what comes behind them is scored."""
    viewer = Viewer(context)
    small = png(256, 256)
    taken = viewer.size(picture(small))
    with context.check("sampling/images/accepted"):
        expect(taken > 0, "a picture takes positions", "> 0", taken)
        scored = viewer.ask(around(picture(small))).at("/prompt_logprobs")
        tail = scored[-len(AFTER) + 1 :]
        expect(all(isinstance(one, float) for one in tail), "text behind it is scored", "", tail)
    with context.check("sampling/images/size"):
        for name, processor, sizes in processors(context, viewer):
            for width, height in sizes:
                got = sized(context, viewer, name, picture(png(width, height)))
                message = f"{width} x {height} pixels for {name}"
                expect_equal(got, processor(width, height), message)
        for width, height in ((640, 480), (300, 900)):
            got = viewer.size(picture(jpeg(width, height), "jpeg"))
            expect_equal(got, viewer.count(width, height), f"a JPEG of {width} x {height} pixels")
    with context.check("sampling/images/expected-tokens"):
        expect_equal(viewer.size(picture(small, expected_tokens=taken)), taken, "the right number")
        expect_equal(viewer.size(picture(small, expected_tokens=None)), taken, "null: not said")
        for told in (taken + 1, taken - 1, 0):
            tried = viewer.ask(around(picture(small, expected_tokens=told)), wrong=True)
            expect(refused(tried), f"{told} instead of {taken} is refused", "4xx", tried.value)
    with context.check("sampling/images/untyped"):
        bare = picture(small)
        del bare["type"]
        expect_equal(viewer.size(bare), taken, "releases up to 0.16 leave the type out")
    with context.check("sampling/images/several"):
        expect_equal(viewer.size(picture(small), picture(small)), 2 * taken, "two take twice")
    broken(context, viewer, small)
    others(context, viewer, small, taken)


def processors(
    context: ScenarioContext, viewer: Viewer
) -> Iterator[tuple[str, Count, tuple[tuple[int, int], ...]]]:
    """A model of each known processor on offer, and sizes to try."""
    offered = context.client.call("get_server_capabilities").at("/supported_models")
    names = [str(one.get("model_name")) for one in offered]
    for begin, count in PROCESSORS.items():
        name = next((one for one in names if one.startswith(begin)), "")
        if name:
            yield name, count, SIZES if name == viewer.base else SIZES[:-1]


def sized(context: ScenarioContext, viewer: Viewer, base: str, chunk: Chunk) -> int:
    """The positions that a picture takes for a base model; it may be one that sees no pictures."""
    if base == viewer.base:
        return viewer.size(chunk)
    context.base_model = base
    sampler, viewer.sampler = viewer.sampler, context.sampler(viewer.session)
    try:
        return viewer.size(chunk)
    finally:
        viewer.sampler, context.base_model = sampler, viewer.base


def broken(context: ScenarioContext, viewer: Viewer, small: bytes) -> None:
    """Pictures that are none."""
    with context.check("sampling/images/broken"):
        wrong = {
            "no picture": picture(b"this is no picture"),
            "a format that it does not have": picture(small, "jpeg"),
            "half a head": picture(small[:20]),
            "no pixels": picture(png(0, 5)),
            "no base64": {"type": "image", "data": "%%%", "format": "png"},
            "no data": {"type": "image", "format": "png"},
        }
        for name, chunk in wrong.items():
            tried = viewer.ask(around(chunk), wrong=True)
            expect(refused(tried), f"{name} is refused as the user's", "4xx", tried.error)


def others(context: ScenarioContext, viewer: Viewer, small: bytes, taken: int) -> None:
    """Training with pictures, pointers, sounds."""
    with context.check("training/inputs/image"):
        model = context.model(viewer.session)
        count = len(BEFORE) + taken + len(AFTER)
        weights = [0.0] * (count - len(AFTER)) + [1.0] * len(AFTER)
        inputs = {
            "target_tokens": bodies.tensor([7] * count, "int64"),
            "weights": bodies.tensor(weights),
        }
        datum = {"model_input": around(picture(small)), "loss_fn_inputs": inputs}
        if not context.target.speaks_protobuf:
            first = seen(context, model, datum)
            expect_equal(len(first), count, "a log-probability for each position")
            again = seen(context, model, datum)
            expect_all_close(again, first, 1e-6, "the same every time")
    with context.check("sampling/pointers/taken"):
        told = {"type": "image_asset_pointer", "format": "png", "expected_tokens": 64}
        tried = viewer.ask(around({**told, "location": "https://tinker.invalid/cat.png"}))
        if not tried.failed:
            size = len(tried.at("/prompt_logprobs")) - len(BEFORE) - len(AFTER)
            expect_equal(size, 64, "expected_tokens positions")
        else:
            expect(refused(tried), "it is taken, or refused as the user's", "4xx", tried.error)
    with context.check("sampling/sounds/refused"):
        sound = {"type": "dmel", "dmel": base64.b64encode(b"\xfe\0\1\5rest").decode()}
        tried = viewer.ask(around(sound), wrong=True)
        if tried.failed:
            expect(refused(tried), "for good, as the user's mistake", "4xx", tried.error)
        noise = {"type": "dmel", "dmel": base64.b64encode(b"noise").decode()}
        tried = viewer.ask(around(noise), wrong=True)
        expect(refused(tried), "noise is no sound", "4xx", tried.error)


def seen(context: ScenarioContext, model: str, datum: dict[str, Any]) -> list[float]:
    """The log-probabilities of one datum."""
    body = bodies.forward(model, context.number(model), data=[datum])
    return bodies.logprobs(context.submit("forward", body).result())


@scenario("sampling/chunks-for-the-blind")
def blind(context: ScenarioContext) -> None:
    """Models that take text only."""
    offered = context.client.call("get_server_capabilities").require().at("/supported_models")
    names = [str(one.get("model_name")) for one in offered]
    name = next((one for one in names if one.startswith(("Qwen/Qwen3-", "openai/gpt-oss"))), "")
    if not name:
        raise Inapplicable("no model on offer is known to take text only")
    context.base_model = name
    sampler = context.sampler()
    with context.check("sampling/images/vision-only"):
        for number, chunk in enumerate(
            (picture(png(64, 64)), {"type": "dmel", "dmel": "/gABBQ=="})
        ):
            body = bodies.sample(sampler, number, prompt=around(chunk), max_tokens=1)
            tried = context.submit("asample", body, wrong=True).outcome()
            expect(refused(tried), f"a model of texts refuses it: {name}", "4xx", tried.value)
