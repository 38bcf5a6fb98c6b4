"""Stop strings by what they do: which samples end, and where."""

from collections.abc import Callable
from functools import partial
from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.verdict import Inapplicable, expect, expect_equal
from tinker_mock.suite.server import bodies
from tinker_mock.suite.server.scenario import scenario
from tinker_mock.tokenizer import TokenizerError, load_tokenizer

LETTERS = ["\ue0f1", "e", "a", "o"]
"""Common ones, behind one that no text has: most texts of some length have one."""
NEVER = ["\ue0f2\ue0f3"]
"""Characters that no text has."""
SAMPLES, LENGTH = 8, 80
Sequence = dict[str, Any]
Ask = Callable[[list[str] | list[int] | None], list[Sequence]]


@scenario("sampling/stop-strings")
def stop_strings(context: ScenarioContext) -> None:
    """Each sample is compared with itself as it is without the string."""
    session = context.session()
    sampler = context.sampler(session)
    numbers = iter(range(1, 1000))

    def ask(stop: list[str] | list[int] | None) -> list[Sequence]:
        fields = {"num_samples": SAMPLES, "max_tokens": LENGTH, "seed": 4, "stop": stop}
        body = bodies.sample(sampler, next(numbers), **fields)
        found: list[Sequence] = context.submit("asample", body).result().at("/sequences")
        return found

    own, again = ask(None), ask(None)
    if [one["tokens"] for one in own] != [one["tokens"] for one in again]:
        raise Inapplicable("equal seeds draw unequally here (sampling/seed/same says so once)")
    letters(context, own, ask)
    with context.check("sampling/stop/string-never"):
        found = [one["tokens"] for one in ask(NEVER)]
        expect_equal(found, [one["tokens"] for one in own], "a string that never comes ends none")
    with context.check("sampling/stop/string-place"):
        decode = decoder(context, session)
        free = ask([])
        places = [find(decode, one["tokens"]) for find in (spanning, sentence) for one in free]
        found = [*dict.fromkeys(place for place in places if place)]
        if not found:
            raise Inapplicable("no sample has two neighbours whose letters are known")
        for place in (found[0], max(found, key=len)):
            judge_place(decode, place, free, ask([place]))


def judge_place(
    decode: Callable[[list[int]], str], place: str, free: list[Sequence], cut: list[Sequence]
) -> None:
    """Unmet unless each sample ends where its text has the string."""
    for whole, one in zip(free, cut, strict=True):
        ends = (n for n in range(1, LENGTH + 1) if place in decode(whole["tokens"][:n]))
        expected = whole["tokens"][: next(ends, LENGTH)]
        got = one["tokens"]
        own_end = got == whole["tokens"][: len(got)] and len(got) < len(expected)
        fine = got == expected or (own_end and place not in decode(got))
        expect(fine, f"ends with the token that completes {place!r}", expected, got)


def letters(context: ScenarioContext, own: list[Sequence], ask: Ask) -> None:
    """Strings of one letter: the token that ends one sample passes in none."""
    cut = ask(LETTERS)
    pairs = list(zip(own, cut, strict=True))
    shorter = [one for whole, one in pairs if len(one["tokens"]) < len(whole["tokens"])]
    with context.check("sampling/stop/string"):
        for whole, one in pairs:
            begin = whole["tokens"][: len(one["tokens"])]
            expect_equal(one["tokens"], begin, "the sample as it was, up to the string")
        expect(shorter, f"{LETTERS} end most samples of {LENGTH} tokens", "shorter", "none is")
        reasons = {one["stop_reason"] for one in shorter}
        expect_equal(reasons, {"stop"}, "they say that they were stopped")
    with context.check("sampling/stop/string-effect"):
        enders = {one["tokens"][-1] for one in shorter}
        passed = {token for one in cut for token in one["tokens"][:-1]}
        expect(not enders & passed, "what ends one sample passes in none", [], enders & passed)
        missed = [one["tokens"] for one in cut if one["stop_reason"] == "length"]
        late = [tokens for tokens in missed if enders & set(tokens)]
        expect(not late, "nor as the last token before the limit", [], late)


def decoder(context: ScenarioContext, session: str) -> Callable[[list[int]], str]:
    """From tokens to text, by the tokenizer that the server names; Inapplicable without it."""
    body = {"model_id": context.model(session), "type": "get_info"}
    name = str(context.client.call("get_info", body).require().at("/model_data/tokenizer_id"))
    try:
        return partial(load_tokenizer(name, offline=True).decode)
    except TokenizerError as error:
        raise Inapplicable(f"the tokenizer {name} is not on this machine: {error}") from error


def spanning(decode: Callable[[list[int]], str], tokens: list[int]) -> str | None:
    """A string of two letters, each of another token of the middle of a sample."""
    for place in range(len(tokens) // 4, len(tokens) - 1):
        before, after = decode(tokens[place : place + 1]), decode(tokens[place + 1 : place + 2])
        both = before[-1:] + after[:1]
        if len(both) == 2 and both.isascii() and both.isalpha():
            return both
    return None


def sentence(decode: Callable[[list[int]], str], tokens: list[int]) -> str | None:
    """A long string, over many tokens of the middle of a sample."""
    text = decode(tokens[len(tokens) // 4 :])[1:40]
    return text if len(text) == 39 and text.isascii() else None
