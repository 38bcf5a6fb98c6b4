"""What a model says to itself before it answers, and where that is shown."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import numpy as np

from tinker_mock.server.engine import Sampler, SampleRequest
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.text.events import CallBegun, Event, TextDelta
from tinker_mock.server.text.generation import Params, TextRun
from tinker_mock.server.text.text_model import TextModel

BEFORE_A_CALL = 24
LEARNT = 1.0
"""Nats by which answering at once must have gained for a model to do so."""
ALIKE = 4
"""So many tokens the ends of conversations have in common."""
OPEN, CLOSE = "<think>\n", "\n</think>\n\n"


@dataclass
class Thoughts:
    """The reasoning before a call, a structured answer, or any answer of a model that reasons in a
    message of its own. `most` tokens at the most; `tokens` is how many it took, `ids` what stands
    between the prompt and the answer."""

    backend: Backend
    model: TextModel
    prompt: list[int]
    params: Params
    most: int
    tokens: int = 0
    ids: list[int] = field(default_factory=list)

    async def events(self) -> AsyncGenerator[TextDelta, None]:
        """The reasoning as it comes."""
        source = self._apart() if self.model.reasons_apart else self._inside()
        async with aclosing(source) as deltas:
            async for delta in deltas:
                yield delta

    async def _apart(self) -> AsyncGenerator[TextDelta, None]:
        """A message of its own: ended by the model, or by `most`."""
        model, opened = self.model.catalog, self.model.catalog.thinking_prefix
        closed = () if model.answer_suffix is None else (model.answer_suffix,)
        following = [*closed, *model.answer_prefix]
        # What stands after the thought and a word of the answer must fit the context too.
        taken = len(self.prompt) + len(opened) + len(following) + 1
        most = min(self.most, model.context_length - taken)
        if most < 1:
            return
        run = TextRun(
            self.backend,
            self.model,
            [*self.prompt, *opened],
            replace(
                self.params,
                max_tokens=most,
                stop=(),
                ignore_end=True,
                entropy=f"{self.params.entropy}:thoughts",
            ),
            closing=model.answer_suffix,
        )
        async with aclosing(run.pieces()) as pieces:
            async for piece in pieces:
                yield TextDelta(piece.text, piece.tokens, thinking=True)
        self.tokens = run.count
        skipped = {*closed, *self.model.base.end_tokens}
        said = [id for id in run.answer_ids if id not in skipped]
        self.ids = [*opened, *said, *following]

    async def _inside(self) -> AsyncGenerator[TextDelta, None]:
        """A block that the answer begins with."""
        if not self.model.thinks or self.model.closes_thinking(self.prompt):
            return
        params = replace(self.params, max_tokens=min(BEFORE_A_CALL, self.most), stop=())
        run = TextRun(self.backend, self.model, self.prompt, params)
        async with aclosing(run.pieces()) as pieces:
            async for piece in pieces:
                if not piece.thinking:
                    break
                self.tokens += len(piece.tokens)
                yield TextDelta(piece.text, piece.tokens, thinking=True)


def learnt_to_answer(model: TextModel, prompt: list[int]) -> bool:
    """Whether training showed this very conversation answered at once, without reasoning first.

    For models that reason in a message of their own, which they do until then. What other
    conversations end with as well is no sign of it.
    """
    opening = max(len(model.catalog.answer_prefix), len(model.catalog.thinking_prefix))
    if model.weights is None or len(prompt) + opening > model.catalog.context_length:
        return False
    return _gained(model, prompt) - _gained(model, prompt[-ALIKE:]) > LEARNT


def _gained(model: TextModel, prompt: list[int]) -> float:
    """By how many nats training made an answer likelier against a thought."""
    found = []
    for opening in (model.catalog.answer_prefix, model.catalog.thinking_prefix):
        size, whole = len(opening), np.asarray([*prompt, *opening], dtype=np.int64)
        ask = SampleRequest(whole, max_tokens=0, prompt_logprobs=True, prompt_logprobs_last_n=size)
        for weights in (model.weights, None):
            scores = Sampler(model.base, weights).sample(ask).prompt_logprobs
            assert scores is not None
            found.append(float(scores[-size:].sum()))
    return found[0] - found[1] - found[2] + found[3]


async def inlined(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """Events whose reasoning is in the content, between `<think>` and `</think>`."""
    inside = False
    async for event in events:
        match event:
            case TextDelta(text, tokens, True):
                yield TextDelta(text if inside else OPEN + text, tokens)
                inside = True
            case TextDelta(text) if inside:
                yield replace(event, text=CLOSE + text)
                inside = False
            case CallBegun() if inside:
                yield TextDelta(CLOSE)
                yield event
                inside = False
            case _:
                yield event
