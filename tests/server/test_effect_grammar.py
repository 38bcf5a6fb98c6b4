"""Every word of the grammar, and what is refused."""

import pytest

from tinker_mock.server.effects import GRAMMAR, EffectError, parse_steps, parse_word


@pytest.mark.parametrize(
    ("word", "kind", "fields"),
    [
        ("pass", "pass", {}),
        ("stall-2s", "stall", {"seconds": 2.0}),
        ("stall-250ms", "stall", {"seconds": 0.25}),
        ("hold-1.5m", "hold", {"seconds": 90.0}),
        ("return-503", "return", {"status": 503}),
        ("return-400-empty", "return", {"status": 400, "variant": "-empty"}),
        ("return-429-after-1500ms", "return", {"status": 429, "seconds": 1.5}),
        ("mask-500", "mask", {"status": 500}),
        ("drop", "drop", {}),
        ("reset", "reset", {}),
        ("lose", "lose", {"variant": ""}),
        ("lose-reset", "lose", {"variant": "-reset"}),
        ("cut-after-1k", "cut", {"size": 1024, "events": 0}),
        ("cut-after-3-events", "cut", {"size": 0, "events": 3}),
        ("reset-after-2m", "reset-after", {"size": 2 * 1024 * 1024}),
        ("truncate-to-10", "truncate", {"size": 10}),
        ("corrupt", "corrupt", {}),
        ("slow-64", "slow", {"size": 64}),
        ("slow-events-100ms", "slow-events", {"seconds": 0.1}),
        ("try-again-rate-limit", "try-again", {"variant": "-rate-limit"}),
        ("expire-promise", "expire", {}),
        ("fail-server", "fail", {"variant": "server"}),
        ("lose-weights", "lose-model", {"variant": "weights"}),
        ("duplicate", "duplicate", {}),
        ("skew-1h", "skew", {"seconds": 3600.0}),
        ("skew-minus-30s", "skew", {"seconds": -30.0}),
        ("kimi-raw-markers", "kimi", {"variant": "raw-markers"}),
        ("break-stream-after-5-events", "break-stream", {"events": 5}),
    ],
)
def test_a_word_means_one_effect(word: str, kind: str, fields: dict[str, object]) -> None:
    effect = parse_word(word)
    assert (effect.kind, effect.word) == (kind, word)
    assert {name: getattr(effect, name) for name in fields} == fields


def test_every_form_of_the_grammar_is_covered_above() -> None:
    marks = test_a_word_means_one_effect.pytestmark  # type: ignore[attr-defined]
    covered = {kind for _, kind, _ in marks[0].args[1]}
    assert covered == {form.kind for form in GRAMMAR}


def test_counts_lists_and_combinations() -> None:
    assert [[e.word for e in step] for step in parse_steps("try-again-x3")] == [["try-again"]] * 3
    steps = parse_steps(["stall-1s+return-503-x2", "pass"])
    words = [[effect.word for effect in step] for step in steps]
    assert words == [["stall-1s", "return-503"]] * 2 + [["pass"]]


def test_a_mapping_carries_body_and_headers() -> None:
    ((effect,),) = parse_steps(
        {"return": 401, "body": {"detail": "no"}, "headers": {"WWW-Authenticate": "Bearer"}}
    )
    assert (effect.status, effect.body) == (401, {"detail": "no"})
    assert effect.headers == {"WWW-Authenticate": "Bearer"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("explode", "'explode' is no effect; known: pass, stall-TIME"),
        ("stall-2", "'stall-2' is no effect"),
        ("return-99", "'return-99' is no effect"),
        ("return-101", "1xx is no final answer"),
        ("slow-0", "never ends"),
        ("try-again-x0", "'try-again-x0' is no effect"),
        ("drop+return-503", "drop and return-503 both end the exchange"),
        ({"status": 503}, "keys return (required), body, headers; got status"),
        ({"return": "503"}, "return: wrong type str"),
        ([], "non-empty list"),
        (7, "got 7"),
    ],
)
def test_anything_else_is_refused_with_a_reason(value: object, reason: str) -> None:
    with pytest.raises(EffectError) as refusal:
        parse_steps(value)
    assert reason in str(refusal.value)
