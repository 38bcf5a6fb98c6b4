"""Samples by value: their log-probabilities, and how often each token comes."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.verdict import Inapplicable, Lacking, expect, expect_equal
from tinker_mock.suite.oracle.chances import cut_at, unlikely
from tinker_mock.suite.oracle.precision import PRECISIONS
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario

LARGE = [70_000, 70_001, 70_002]
PROMPT = (11, 12, 13, 14)
TAUGHT = {301: 8.0, 302: 4.0, 303: 2.0, 304: 1.0}
"""Next tokens that the model is taught, and their weights."""
DRAWS = 800
STEPS, RATE = 14, 3e-4
KNOWN = 16
"""How many of the likeliest tokens are asked for."""


class Sampler:
    """A sampling session of weights that prefer a few tokens, and what it says of them."""

    def __init__(self, context: ScenarioContext) -> None:
        self.context = context
        self.session = context.session()
        self.model = context.model(self.session)
        self.tolerance = PRECISIONS[context.target.precision]
        self._numbers = 0
        data = [
            bodies.datum(*PROMPT, token, weights=bodies.tensor([0.0] * 3 + [weight]))
            for token, weight in TAUGHT.items()
        ]
        for _ in range(STEPS):
            self.step(data)
        self.id = self.saved()

    def step(self, data: list[dict[str, Any]]) -> None:
        """One training step."""
        context, model = self.context, self.model
        passed = context.submit(
            "forward_backward", bodies.train(model, context.number(model), data)
        )
        context.submit("optim_step", bodies.optim(model, context.number(model), RATE)).result()
        passed.result()

    def saved(self) -> str:
        """A sampling session of the weights as they are."""
        context = self.context
        body = bodies.save_sampler(
            self.model,
            context.number(self.model),
            sampling_session_seq_id=context.next_sampler(self.session),
        )
        made = context.submit("save_weights_for_sampler", body).result()
        return str(made.at("/sampling_session_id"))

    def ask(self, sampler: str | None = None, **fields: Any) -> Outcome:
        """One sample; without other fields of PROMPT, with no stops."""
        self._numbers += 1
        fields = {"prompt": bodies.text(*PROMPT), "stop": [], **fields}
        body = bodies.sample(sampler or self.id, self._numbers, **fields)
        return self.context.submit("asample", body).result()

    def drawn(self, **fields: Any) -> list[int]:
        """The first tokens of many samples."""
        found = self.ask(num_samples=DRAWS, max_tokens=1, **fields).at("/sequences")
        return [int(one["tokens"][0]) for one in found]

    def likeliest(self, count: int = KNOWN) -> dict[int, float]:
        """The likeliest next tokens of PROMPT with their log-probabilities, likeliest first."""
        prompt = bodies.text(*PROMPT, 301)
        found = self.ask(prompt=prompt, max_tokens=1, topk_prompt_logprobs=count)
        return {int(t): float(v) for t, v in found.at(f"/topk_prompt_logprobs/{len(PROMPT)}")}

    def scored(self, *tokens: int) -> list[float | None]:
        """prompt_logprobs of a text."""
        found = self.ask(prompt=bodies.text(*tokens), max_tokens=1, prompt_logprobs=True)
        values: list[float | None] = found.at("/prompt_logprobs")
        if not values:
            message = "prompt_logprobs are given where asked"
            raise Lacking(message, "a list", values, whole=True)
        return values


def contradiction(drawn: list[int], chances: Mapping[int, float]) -> str:
    """How draws contradict chances among the tokens that these are of."""
    inside = [token for token in drawn if token in chances]
    return unlikely(inside, chances)


@scenario("sampling/values")
def values(context: ScenarioContext) -> None:
    """Reported log-probabilities are those of the text; draws follow them."""
    sampler = Sampler(context)
    with context.check("sampling/value/logprobs"):
        found = sampler.ask(num_samples=2, max_tokens=8, seed=3).at("/sequences")
        for one in found:
            scored = sampler.scored(*PROMPT, *one["tokens"])[len(PROMPT) :]
            worst = sampler.tolerance.worst(one["logprobs"], [v or 0.0 for v in scored], 1.0)
            expect(worst <= 1, "as prompt_logprobs of the same text", scored, one["logprobs"])
    known = sampler.likeliest()
    with context.check("sampling/topk/value"):
        for token, value in (*[*known.items()][:4], *sampler.likeliest(2).items()):
            told = sampler.scored(*PROMPT, token)[-1] or 0.0
            fine = sampler.tolerance.worst(value, told, 1.0) <= 1
            expect(fine, f"token {token} as prompt_logprobs says", told, value)
    chances = {token: math.exp(value) for token, value in known.items()}
    with context.check("sampling/value/frequencies"):
        fault = unlikely(sampler.drawn(seed=5), chances)
        expect(not fault, "tokens come as often as their chances say", "their chances", fault)
        fault = unlikely(sampler.drawn(seed=6, top_k=KNOWN), cut_at(known, 1.0))
        expect(not fault, f"so they do among the {KNOWN} likeliest", "their chances", fault)
    cut_off(context, sampler, known)


def cut_off(context: ScenarioContext, sampler: Sampler, known: dict[int, float]) -> None:
    """Temperature, top_k and top_p between their extremes."""
    with context.check("sampling/value/temperature"):
        for temperature in (0.5, 2.0):
            drawn = sampler.drawn(seed=7, temperature=temperature)
            fault = contradiction(drawn, cut_at(known, temperature))
            expect(not fault, f"chances at temperature {temperature}", "their chances", fault)
    front = list(known)
    with context.check("sampling/value/top-k"):
        drawn = sampler.drawn(seed=8, top_k=3)
        fault = unlikely(drawn, cut_at({t: known[t] for t in front[:3]}, 1.0))
        expect(not fault, "the three likeliest, as often as their chances say", front[:3], fault)
    with context.check("sampling/value/top-p"):
        first, second = (math.exp(known[token]) for token in front[:2])
        top_p = round(first + 0.95 * second, 6)
        expect(top_p < 1, "chances of two tokens add up to less than 1", "< 1", first + second)
        drawn = sampler.drawn(seed=9, top_p=top_p)
        fault = unlikely(drawn, cut_at({t: known[t] for t in front[:2]}, 1.0))
        expect(not fault, f"the fewest that hold {top_p}: {front[:2]}", "their chances", fault)
        both = set(sampler.drawn(seed=10, top_k=4, top_p=0.01))
        expect_equal(both, {front[0]}, "with top_k too: a tiny top_p is the likeliest")
        wide = set(sampler.drawn(seed=11, top_k=3, top_p=0.9999))
        expect_equal(wide, set(front[:3]), "with top_k too: a large top_p keeps all of them")


@scenario("sampling/company")
def company(context: ScenarioContext) -> None:
    """What is drawn depends on the request alone; ephemeral samplers on their moment alone."""
    sampler = Sampler(context)
    with context.check("sampling/many/independent"):
        alone = [tokens_of(sampler.ask(seed=n, max_tokens=6)) for n in range(8)]
        if alone[0] != tokens_of(sampler.ask(seed=0, max_tokens=6)):
            raise Inapplicable("equal seeds draw unequally here (sampling/seed/same says so once)")
        sent = [context.aside(partial(sampler.ask, seed=n, max_tokens=6)) for n in range(8)]
        together = [tokens_of(one.result()) for one in sent]
        expect_equal(together, alone, "eight at once draw what each draws alone")
    with context.check("sampling/many/own-limits"):
        limits = [3, 9, 1, 6, 12, 2]
        sent = [context.aside(partial(sampler.ask, seed=n, max_tokens=n)) for n in limits]
        lengths = [len(tokens_of(one.result())) for one in sent]
        expect_equal(lengths, limits, "of those asked for at once each has its own max_tokens")
    with context.check("sampling/seed/unseeded"):
        free = [tokens_of(sampler.ask(seed=None, max_tokens=16)) for _ in "123"]
        expect(len({tuple(one) for one in free}) > 1, "requests without a seed differ", "", free)
    with context.check("sampling/repeat/same"):
        body = bodies.sample(sampler.id, 5000, prompt=bodies.text(*PROMPT), seed=None, stop=[])
        first, again = context.submit("asample", body), context.submit("asample", body)
        expect_equal(again.request_id, first.request_id, "the same number: the same promise")
    with context.check("sampling/trained/ephemeral-snapshot"):
        before = sampler.scored(*PROMPT, 302)
        sampler.step([bodies.datum(*PROMPT, 302)])
        expect_equal(sampler.scored(*PROMPT, 302), before, "later training does not change it")
    with context.check("sampling/trained/ephemeral-own"):
        newest = sampler.saved()
        prompt = bodies.text(*PROMPT, 302)
        found = sampler.ask(newest, prompt=prompt, max_tokens=1, prompt_logprobs=True)
        number = context.number(sampler.model)
        work = bodies.forward(sampler.model, number, data=[bodies.datum(*PROMPT, 302)])
        seen = bodies.logprobs(context.submit("forward", work).result())
        scored = found.at("/prompt_logprobs")[1:]
        worst = sampler.tolerance.worst(scored, seen, 1.0)
        expect(worst <= 1, "an ephemeral sampler has the trainer's weights", seen, scored)


def tokens_of(outcome: Outcome) -> list[int]:
    """The first sequence's tokens."""
    return [int(token) for token in outcome.at("/sequences/0/tokens")]


@scenario("sampling/stops")
def stops(context: ScenarioContext) -> None:
    """Several stops, stops in words, and the model's own end."""
    sampler = context.sampler()
    numbers = iter(range(1, 1000))

    def ask(**fields: Any) -> list[dict[str, Any]]:
        body = bodies.sample(sampler, next(numbers), seed=4, **fields)
        found: list[dict[str, Any]] = context.submit("asample", body).result().at("/sequences")
        return found

    (free,) = ask(max_tokens=24, stop=[])
    expect_equal(len(free["tokens"]), 24, "with stop [] a sample has max_tokens")
    if ask(max_tokens=24, stop=[])[0]["tokens"] != free["tokens"]:
        raise Inapplicable("equal seeds draw unequally here (sampling/seed/same says so once)")
    with context.check("sampling/stop/several"):
        absent = next(t for t in range(20, 60) if t not in free["tokens"])
        stop = free["tokens"][11]
        (cut,) = ask(max_tokens=24, stop=[absent, stop])
        want = free["tokens"][: free["tokens"].index(stop) + 1]
        expect_equal(cut["tokens"], want, "the second of two stop tokens ends it too")
    with context.check("sampling/stop/reason-own"):
        (cut,) = ask(max_tokens=24, stop=[free["tokens"][11]])
        found = (free["stop_reason"], cut["stop_reason"])
        expect_equal(found, ("length", "stop"), "cut off by max_tokens, ended by a stop")
    with context.check("sampling/stop/end-token"):
        ended = [one for one in ask(num_samples=16, max_tokens=600, stop=None) if stopped(one)]
        expect(ended, "some samples end by themselves", "stop", "all run to max_tokens")
    with context.check("sampling/stop/none-runs-on"):
        runs_on(context, ask)


def stopped(sequence: Mapping[str, Any]) -> bool:
    """Whether a sequence ended before its limit."""
    return bool(sequence["stop_reason"] == "stop")


def runs_on(context: ScenarioContext, ask: Any) -> None:
    """The samples that end by themselves go on behind their end when nothing stops them."""
    several = {"num_samples": 16, "max_tokens": 600}
    ends, whole = ask(stop=None, **several), ask(stop=[], **several)
    for own, free in zip(ends, whole, strict=True):
        expect_equal(len(free["tokens"]), 600, "with stop [] each sample has max_tokens")
        expect_equal(free["stop_reason"], "length", "and says so")
        if stopped(own):
            size = len(own["tokens"])
            expect_equal(free["tokens"][:size], own["tokens"], "the same sample goes on")


@scenario("sampling/rankings")
def rankings(context: ScenarioContext) -> None:
    """A longer ranking begins with the shorter one."""
    sampler = context.sampler()
    rows = []
    for number, k in enumerate((4, 20)):
        body = bodies.sample(sampler, number, max_tokens=1, topk_prompt_logprobs=k)
        rows.append(context.submit("asample", body).result().at("/topk_prompt_logprobs"))
    with context.check("sampling/topk/nested"):
        for short, long in zip(*rows, strict=True):
            if short is not None:
                expect_equal((len(short), len(long)), (4, 20), "as many as were asked for")
                expect_equal(long[:4], short, "the likeliest tokens are the same")
    with context.check("sampling/top-k/large"):
        ask = {"max_tokens": 1, "num_samples": 200, "temperature": 2.0, "stop": []}
        body = bodies.sample(sampler, 9, top_k=40, **ask)
        drawn = context.submit("asample", body).result().at("/sequences")
        kinds = {one["tokens"][0] for one in drawn}
        body = bodies.sample(sampler, 10, **ask)
        free = {o["tokens"][0] for o in context.submit("asample", body).result().at("/sequences")}
        if len(free) < 60:
            raise Inapplicable("the model is sure of itself here")
        expect(10 < len(kinds) <= 40, "of forty tokens more than ten are drawn", "11..40", kinds)
    with context.check("sampling/prompt-logprobs/large-ids"):
        seen = []
        for number, tokens in enumerate((LARGE, [token & 0xFFFF for token in LARGE]), 2):
            ask = {"prompt": bodies.text(*tokens), "max_tokens": 1, "prompt_logprobs": True}
            outcome = context.submit("asample", bodies.sample(sampler, number, **ask)).outcome()
            if outcome.failed:
                raise Inapplicable("the vocabulary has no such ids")
            seen.append(outcome.at("/prompt_logprobs"))
        expect(seen[0] != seen[1], "ids above 65535 are tokens of their own", "others", seen[0])
