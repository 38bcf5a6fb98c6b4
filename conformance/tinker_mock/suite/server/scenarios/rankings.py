"""The likeliest tokens of each place of prompts and samples, whatever else is asked."""

from collections.abc import Sequence
from typing import Any

from tinker_mock.contracts.protobuf import messages
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.promises import PROTOBUF, Outcome
from tinker_mock.suite.core.proto import decode_topk
from tinker_mock.suite.core.verdict import Lacking, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.suite.server.scenarios.protobuf import trained_sampler

K = 3
Rows = Sequence[Sequence[Sequence[float]] | None]


class Asking:
    """Numbers the samples that it asks of one sampler."""

    def __init__(self, context: ScenarioContext) -> None:
        self.context = context
        self.sampler = trained_sampler(context)
        self.numbers = iter(range(1, 1000))

    def told(self, **fields: Any) -> Outcome:
        """A sample's result."""
        body = bodies.sample(self.sampler, next(self.numbers), **fields)
        return self.context.submit("asample", body).result()

    def ranked(self, tokens: Sequence[int]) -> Rows:
        """The likeliest tokens at each place of a text."""
        text = bodies.text(*tokens)
        asked = {"prompt": text, "prompt_logprobs": True, "topk_prompt_logprobs": K}
        rows: Rows = self.told(**asked, max_tokens=1).at("/topk_prompt_logprobs")
        if not rows:
            message = "topk_prompt_logprobs are given where asked"
            raise Lacking(message, "a list", rows, whole=True)
        return rows

    def message(self, **fields: Any) -> Any:
        """A sample's result as a message; None where it comes in another form."""
        body = bodies.sample(self.sampler, next(self.numbers), **fields)
        promised = self.context.submit("asample", body)
        promised.result()
        headers = {"accept": PROTOBUF, "x-tinker-request-type": "Sample"}
        asked = {"request_id": promised.request_id}
        reply = self.context.client.call("retrieve_future", asked, headers=headers).require(200)
        if reply.media_type != PROTOBUF:
            return None
        return messages.SampleResponse.FromString(reply.body)


def same_rows(context: ScenarioContext, got: Rows, want: Rows, message: str) -> None:
    """Unmet unless two rankings have the same tokens with the same log-probabilities."""
    expect_equal(len(got), len(want), f"{message}: a row a place")
    for place, (one, other) in enumerate(zip(got, want, strict=True)):
        tokens = [int(cell[0]) for cell in one or ()]
        expect_equal(tokens, [int(cell[0]) for cell in other or ()], f"{message}, place {place}")
        values = [float(cell[1]) for cell in one or ()], [float(cell[1]) for cell in other or ()]
        context.alike(*values, f"{message}, place {place}")


@scenario("sampling/rankings-beside")
def rankings(context: ScenarioContext) -> None:
    """Of a prompt beside several samples and at another temperature; of samples by their texts."""
    asking = Asking(context)
    plain = asking.ranked(bodies.TOKENS)
    both = {"prompt_logprobs": True, "topk_prompt_logprobs": K}
    alone = asking.told(prompt_logprobs=True, max_tokens=1).at("/prompt_logprobs")
    with context.check("sampling/topk/temperature-free"):
        cold = asking.told(**both, temperature=0.4).at("/topk_prompt_logprobs")
        same_rows(context, cold, plain, "at another temperature")
    with context.check("sampling/prompt-logprobs/whatever-else"):
        many = asking.told(**both, num_samples=3, top_k=5, seed=11)
        expect_equal(len(many.at("/sequences")), 3, "three samples")
        context.alike(many.at("/prompt_logprobs")[1:], alone[1:], "beside three samples")
        same_rows(context, many.at("/topk_prompt_logprobs"), plain, "beside three samples")
    if not context.applies("protobuf/sample/topk-sampled-value"):
        return
    with context.check("protobuf/sample/topk-sampled-value"):
        count = len(bodies.TOKENS)
        asked = {"num_samples": 3, "max_tokens": 4, "stop": [], "topk_sample_logprobs": K}
        message = asking.message(**asked, seed=12)
        for sequence in message.sequences if message is not None else ():
            tokens = memoryview(sequence.tokens).cast("i").tolist()
            rows = decode_topk(sequence.topk_sampled_logprobs)
            expect_equal(len(rows), len(tokens), "a row for each token of each sequence")
            want = asking.ranked([*bodies.TOKENS, *tokens])[count:]
            same_rows(context, rows, want, "as told of the whole text")
