"""The one-word grammar of effects: `return-503`, `stall-2s`, `reset-after-1k`, `try-again-x3`.

An effect is one thing that goes wrong with one exchange. A word fits a command line, a header, a
test id; where a body or headers are needed a mapping takes its place:
``{return: 503, body: {...}, headers: {...}}``. Words are joined with ``+`` to happen together,
and end in ``-xN`` to happen N times in a row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tinker_mock.server.clock import UNITS

BEFORE, AFTER, AROUND = "before", "after", "around"
DURATION = r"(?P<seconds>\d+(?:\.\d+)?)(?P<unit>ms|s|m|h)"
SIZE = r"(?P<size>\d+)(?P<multiple>k|m)?"
MULTIPLES = {None: 1, "k": 1024, "m": 1024 * 1024}
PROMISE_READS = frozenset({"retrieve_future"})
MODEL_WORK = frozenset({"optim_step", "save_weights", "save_weights_for_sampler"})
TEXT_STREAMS = frozenset({"create_chat_completion", "create_completion", "create_message"})


class EffectError(ValueError):
    """A word or mapping that is no effect; the message names it, the rule and a fix."""


@dataclass(frozen=True)
class Effect:
    """One effect. Which fields count depends on `kind`; durations in seconds, sizes in bytes."""

    kind: str
    word: str
    seconds: float = 0.0
    status: int = 0
    size: int = 0
    events: int = 0
    variant: str = ""
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def form(self) -> Form:
        return FORMS_BY_KIND[self.kind]


@dataclass(frozen=True)
class Form:
    """One row of the grammar: how a kind is written, when it acts and what it does."""

    kind: str
    syntax: str
    pattern: str
    acts: str
    meaning: str
    operations: frozenset[str] | None = None

    def parse(self, word: str) -> Effect | None:
        match = re.fullmatch(self.pattern, word)
        if match is None:
            return None
        found = match.groupdict()
        return Effect(
            kind=self.kind,
            word=word,
            seconds=_seconds(found),
            status=int(found.get("status") or 0),
            size=_size(found),
            events=int(found.get("events") or 0),
            variant=found.get("variant") or "",
        )


def _seconds(found: Mapping[str, str | None]) -> float:
    number, unit = found.get("seconds"), found.get("unit")
    seconds = float(number) * UNITS[unit] if number and unit else 0.0
    return -seconds if found.get("minus") else seconds


def _size(found: Mapping[str, str | None]) -> int:
    number = found.get("size")
    return int(number) * MULTIPLES[found.get("multiple")] if number else 0


GRAMMAR: tuple[Form, ...] = (
    Form("pass", "pass", "pass", BEFORE, "nothing goes wrong; takes one turn of a plan"),
    Form("stall", "stall-TIME", f"stall-{DURATION}", BEFORE, "wait, then handle the request"),
    Form("hold", "hold-TIME", f"hold-{DURATION}", AFTER, "handle now, withhold the answer"),
    Form(
        "return",
        "return-STATUS[-empty][-after-TIME]",
        rf"return-(?P<status>[1-5]\d\d)(?P<variant>-empty)?(?:-after-{DURATION})?",
        BEFORE,
        "answer STATUS without handling; -empty: no body; -after: send Retry-After and -ms",
    ),
    Form(
        "mask",
        "mask-STATUS",
        r"mask-(?P<status>[45]\d\d)",
        AFTER,
        "handle the request, answer STATUS all the same",
    ),
    Form("drop", "drop", "drop", BEFORE, "close the connection without handling or answering"),
    Form("reset", "reset", "reset", BEFORE, "like drop, with a TCP reset"),
    Form(
        "lose",
        "lose[-reset]",
        "lose(?P<variant>-reset)?",
        AFTER,
        "handle the request, then close the connection instead of answering",
    ),
    Form(
        "cut",
        "cut-after-SIZE | cut-after-N-events",
        rf"cut-after-(?:{SIZE}|(?P<events>\d+)-events)",
        AFTER,
        "close the connection after so much of the body, or so many SSE events",
    ),
    Form(
        "reset-after",
        "reset-after-SIZE",
        rf"reset-after-{SIZE}",
        AFTER,
        "like cut, with a TCP reset",
    ),
    Form(
        "truncate",
        "truncate-to-SIZE",
        rf"truncate-to-{SIZE}",
        AFTER,
        "a complete HTTP answer with a shortened body",
    ),
    Form("corrupt", "corrupt", "corrupt", AFTER, "change bytes of the body, keep its length"),
    Form("slow", "slow-SIZE", f"slow-{SIZE}", AFTER, "send SIZE bytes of the body per second"),
    Form(
        "slow-events",
        "slow-events-TIME",
        f"slow-events-{DURATION}",
        AFTER,
        "wait before every SSE event",
    ),
    Form(
        "try-again",
        "try-again[-capacity | -rate-limit]",
        "try-again(?P<variant>-capacity|-rate-limit)?",
        BEFORE,
        "the poll answers try-again at once, with that queue_state",
        PROMISE_READS,
    ),
    Form(
        "expire",
        "expire-promise",
        "expire-promise",
        BEFORE,
        "the polled promise is gone: 410 now and for ever",
        PROMISE_READS,
    ),
    Form(
        "fail",
        "fail-user | fail-server | fail-unknown",
        "fail-(?P<variant>user|server|unknown)",
        BEFORE,
        "the polled promise failed, with that category",
        PROMISE_READS,
    ),
    Form(
        "lose-model",
        "lose-weights | lose-model",
        "lose-(?P<variant>weights|model)",
        BEFORE,
        "when its turn comes the model's weights are gone (a corrupted run), or the run is (404)",
        MODEL_WORK,
    ),
    Form(
        "duplicate",
        "duplicate",
        "duplicate",
        AROUND,
        "the request is delivered twice; the client sees the second answer",
    ),
    Form(
        "skew",
        "skew-TIME | skew-minus-TIME",
        f"skew-(?P<minus>minus-)?{DURATION}",
        AROUND,
        "the times in this answer are off by TIME",
    ),
    Form(
        "kimi",
        "kimi-QUIRK",
        "kimi-(?P<variant>raw-markers|reasoning-markers|bare-ids|foreign-ids|wrong-finish"
        "|split-deltas|json-lines|truncated-calls)",
        AROUND,
        "tool calls come as careless Kimi providers send them (server/text/README.md)",
        frozenset({"create_chat_completion"}),
    ),
    Form(
        "break-stream",
        "break-stream-after-N-events",
        r"break-stream-after-(?P<events>\d+)-events",
        AROUND,
        "a text stream ends with an error in its API's own form after N events",
        TEXT_STREAMS,
    ),
)
FORMS_BY_KIND = {form.kind: form for form in GRAMMAR}
REPEATED = re.compile(r"(?P<word>.+)-x(?P<times>[1-9]\d{0,5})")

Step = tuple[Effect, ...]
"""What happens to one exchange: effects joined with `+`."""


def words(step: Step) -> str:
    """A step as it is written."""
    return "+".join(effect.word for effect in step)


def parse_word(word: str) -> Effect:
    """One effect, without `+` and `-xN`."""
    for form in GRAMMAR:
        effect = form.parse(word)
        if effect is not None:
            return _checked(effect)
    raise EffectError(f"{word!r} is no effect; known: {', '.join(f.syntax for f in GRAMMAR)}")


def _checked(effect: Effect) -> Effect:
    if effect.kind == "return" and effect.status < 200:
        raise EffectError(f"{effect.word!r}: status must be 200..599, 1xx is no final answer")
    if effect.kind == "slow" and effect.size == 0:
        raise EffectError(f"{effect.word!r}: a rate of 0 bytes per second never ends")
    return effect


def parse_steps(value: object) -> list[Step]:
    """Effects as written in YAML, JSON or a header: a word, a mapping, or a list of those."""
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, Mapping):
        return [(_parse_mapping(value),)]
    if isinstance(value, list) and value:
        return [step for item in value for step in parse_steps(item)]
    raise EffectError(f"effects must be a word, a mapping or a non-empty list, got {value!r}")


def _parse_text(text: str) -> list[Step]:
    repeated = REPEATED.fullmatch(text.strip())
    body, times = (repeated["word"], int(repeated["times"])) if repeated else (text.strip(), 1)
    step = tuple(parse_word(word) for word in body.split("+"))
    final = [effect.word for effect in step if effect.kind in FINAL]
    if len(final) > 1:
        raise EffectError(f"{text!r}: {' and '.join(final)} both end the exchange; keep one")
    return [step] * times


FINAL = frozenset({"return", "drop", "reset", "try-again", "expire", "fail", "mask", "lose"})
MAPPING_KEYS: dict[str, Callable[[object], bool]] = {
    "return": lambda value: isinstance(value, int),
    "body": lambda value: True,
    "headers": lambda value: isinstance(value, Mapping),
}


def _parse_mapping(value: Mapping[Any, Any]) -> Effect:
    unknown = sorted(str(key) for key in value if key not in MAPPING_KEYS)
    if unknown or "return" not in value:
        raise EffectError(
            f"an effect mapping has the keys return (required), body, headers; "
            f"got {', '.join(map(str, value)) or 'none'}"
        )
    wrong = [key for key, fits in MAPPING_KEYS.items() if key in value and not fits(value[key])]
    if wrong:
        raise EffectError(f"{wrong[0]}: wrong type {type(value[wrong[0]]).__name__}")
    headers = {str(name): str(text) for name, text in (value.get("headers") or {}).items()}
    effect = parse_word(f"return-{value['return']}")
    return replace(effect, body=value.get("body"), headers=headers)
