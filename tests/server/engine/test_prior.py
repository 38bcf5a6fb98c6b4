"""The untrained model: seeded text, kept on disk, n-gram listings, a fallback over ids."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from tinker_mock.server.cache_folder import cache_folder
from tinker_mock.server.engine import BaseModel, ChatGrammar, Sampler, SampleRequest
from tinker_mock.server.engine.model import corpus
from tinker_mock.server.engine.model.corpus import documents, kept_documents, texts
from tinker_mock.server.engine.model.keys import KeySpace
from tinker_mock.server.engine.model.prior import build_prior

LETTERS = "\n abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?!'@-"
SIZE = len(LETTERS) + 9
END, HEADER, OPEN, CLOSE = SIZE - 1, SIZE - 2, SIZE - 3, SIZE - 4
GRAMMAR = ChatGrammar(
    end_tokens=(END,),
    header=(HEADER, 0),
    think_open=OPEN,
    think_close=CLOSE,
    thinks=True,
    specials=((SIZE - 8, SIZE - 1),),
)


def encode(text: str) -> list[int]:
    return [LETTERS.index(c) if c in LETTERS else len(LETTERS) for c in text]


def decode(tokens: Sequence[int]) -> str:
    return "".join(LETTERS[t] if t < len(LETTERS) else "?" for t in tokens)


@pytest.fixture(autouse=True)
def few_texts(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """A tenth of the text does for everything but the look of samples."""
    if "whole" not in request.node.name:
        monkeypatch.setattr(corpus, "ANSWERS", 160)
        monkeypatch.setattr(corpus, "THOUGHTS", 60)


def test_texts_are_always_the_same() -> None:
    assert texts() == texts()


def test_documents_are_whole_turns() -> None:
    found = documents(encode, GRAMMAR)
    assert all(d[-1] == END for d in found)
    assert all(d[:2].tolist() == [HEADER, 0] for d in found)
    thinking = [d for d in found if OPEN in d]
    assert 0.2 < len(thinking) / len(found) < 0.6
    assert all(d.tolist().index(OPEN) < d.tolist().index(CLOSE) for d in thinking)


def test_texts_do_not_depend_on_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2031, 5, 5, 3, tzinfo=tz)

    today = texts()
    monkeypatch.setattr("faker.providers.date_time.datetime", Later)
    assert texts() == today


def test_encoded_texts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_MOCK_CACHE", str(tmp_path / "kept"))
    calls = []

    def counted(text: str) -> list[int]:
        calls.append(text)
        return encode(text)

    first = kept_documents("letters", counted, GRAMMAR)
    made = len(calls)
    second = kept_documents("letters", counted, GRAMMAR)
    assert made > 0
    assert len(calls) == made
    assert [d.tolist() for d in second] == [d.tolist() for d in first]
    kept_documents("other letters", counted, GRAMMAR)
    assert len(calls) == 2 * made


@pytest.mark.parametrize("part", ["digest_of", "version"])
def test_what_other_code_or_words_made_is_not_taken(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_MOCK_CACHE", str(tmp_path))
    kept_documents("letters", encode, GRAMMAR)
    monkeypatch.setattr(f"tinker_mock.server.engine.model.corpus.{part}", lambda _: "last week's")
    kept_documents("letters", lambda text: [7, *encode(text)], GRAMMAR)
    again = kept_documents("letters", encode, GRAMMAR)
    assert 7 in again[0], "what this code kept"
    assert len(list(tmp_path.glob("corpus-*"))) == 2


def test_texts_are_written_once_for_all_tokenizers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_MOCK_CACHE", str(tmp_path))
    kept_documents("letters", encode, GRAMMAR)

    def written_again() -> None:
        raise AssertionError

    monkeypatch.setattr("tinker_mock.server.engine.model.corpus.texts", written_again)
    kept_documents("other letters", encode, GRAMMAR)


def test_a_broken_or_refused_cache_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_MOCK_CACHE", str(tmp_path))
    expected = [d.tolist() for d in kept_documents("letters", encode, GRAMMAR)]
    for kept in tmp_path.iterdir():
        kept.write_bytes(b"not an archive")
    assert [d.tolist() for d in kept_documents("letters", encode, GRAMMAR)] == expected
    monkeypatch.setenv("TINKER_MOCK_CACHE", str(kept / "below-a-file"))
    assert [d.tolist() for d in kept_documents("letters", encode, GRAMMAR)] == expected
    monkeypatch.setenv("TINKER_MOCK_CACHE", "off")
    assert cache_folder() is None


def test_samples_look_like_the_whole_text() -> None:
    """Letter trigrams: far likelier text than the fallback, words between spaces."""
    grammar, size = GRAMMAR, SIZE
    taught = BaseModel(
        "tests/letters", size, grammar=grammar, corpus=lambda: documents(encode, grammar)
    )
    untaught = BaseModel("tests/letters", size, grammar=grammar)
    prompt = np.array([HEADER, 0])
    ask = SampleRequest(prompt, num_samples=20, max_tokens=300, seed=1)
    answers = [s.tokens for s in Sampler(taught).sample(ask).sequences]
    pairs = {t[i : i + 2] for answer in texts()[0] for t in (answer,) for i in range(len(t) - 1)}
    text = "".join(decode(tokens.tolist()) for tokens in answers)
    known = sum(text[i : i + 2] in pairs for i in range(len(text) - 1)) / len(text)
    assert known > 0.75
    whole = np.array([HEADER, 0, *encode("My name is"), END])
    score = SampleRequest(whole, max_tokens=1, prompt_logprobs=True)
    likely, unlikely = (Sampler(m).sample(score).prompt_logprobs for m in (taught, untaught))
    assert likely is not None
    assert unlikely is not None
    assert likely[3:-1].mean() > unlikely[3:-1].mean() + 1.0


def test_listed_weights_are_those_of_the_longest_context() -> None:
    space = KeySpace(20)
    prior = build_prior("x", space, 20, ChatGrammar(), [[1, 2, 3], [1, 2, 3], [9, 2, 4]])
    key = space.triple(np.array([2]), np.array([1]), np.array([3]))
    root = np.exp(prior.root[3])
    pair = root + 9.0 * 2 / 3
    assert np.exp(prior.log_weight(1, space.shorten(key, 2), space))[0] == pytest.approx(pair)
    assert np.exp(prior.log_weight(2, key, space))[0] == pytest.approx(pair + 30.0)
    unseen = space.triple(np.array([2]), np.array([9]), np.array([3]))
    assert np.exp(prior.log_weight(2, unseen, space))[0] == pytest.approx(pair)


def test_names_make_different_models() -> None:
    ask = SampleRequest(np.array([1]), max_tokens=30, seed=1, stop=[])
    priors = {
        name: Sampler(BaseModel(name, 5000)).sample(ask).sequences[0].tokens.tolist()
        for name in ("a/one", "a/two")
    }
    again = Sampler(BaseModel("a/one", 5000)).sample(ask).sequences[0].tokens.tolist()
    assert priors["a/one"] == again
    assert priors["a/one"] != priors["a/two"]


def test_the_fallback_prefers_small_ids() -> None:
    ask = SampleRequest(np.array([1]), num_samples=500, max_tokens=1, seed=1)
    sampled = [s.tokens[0] for s in Sampler(BaseModel("a", 100_000)).sample(ask).sequences]
    assert np.median(sampled) < 10_000
    assert max(sampled) > 50_000
