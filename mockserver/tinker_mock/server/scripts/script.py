"""What a script says, whatever wrote it: YAML, the control API, a test."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CERTAINLY = 0.99999
"""How likely the untrained model gives one of a script's answers, unless told otherwise."""

ORDERS = ("mixture", "sequence")
SCOPES = ("script", "prompt")
ANSWER_KEYS = (
    "completion",
    "completion_tokens",
    "reasoning",
    "tool_calls",
    "end_turn",
    "weight",
    "probability",
    "logprob",
)
SCRIPT_KEYS = ("name", "model", "pattern", "pattern_tokens", "answers", "order", "per")
AnswerFunction = Callable[[Any], Any]
"""From a prompt to an answer: text, an answer or a script as in YAML, or None for none."""


class ScriptFault(ValueError):
    """A script that cannot work: the field, the rule it breaks, and what to do."""

    def __init__(self, field: str, rule: str, fix: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field, self.rule, self.fix = field, rule, fix


@dataclass(frozen=True)
class Call:
    """A tool call. `arguments` is JSON text, told to clients of text endpoints as it is."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Spoken:
    """One answer. `tokens` stand in place of the text, or of all with a mark among them.

    `probability` is that of the whole answer in the untrained model; None leaves it to `weight`.
    """

    text: str = ""
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    tokens: tuple[int, ...] | None = None
    end_turn: bool = True
    weight: float = 1.0
    probability: float | None = None


@dataclass
class Script:
    """Answers for the prompts of some models.

    `model` is a name or a pattern with `*`. Of `pattern` (regular expression over the prompt's
    text), `tokens` and `function` one says which prompts. A `sequence` gives one answer a call,
    counted over the script or per prompt; after the last one it stays there.
    """

    model: str = "*"
    pattern: str | None = None
    tokens: tuple[int, ...] | None = None
    function: AnswerFunction | None = None
    answers: tuple[Spoken, ...] = ()
    probability: float = CERTAINLY
    order: str = "mixture"
    per: str = "script"
    name: str = ""
    doubts: tuple[str, ...] = ()
    described: Mapping[str, Any] = field(default_factory=dict)
    matched: int = 0
    unread: int = 0
    fired: int = 0
    fired_answers: dict[int, int] = field(default_factory=dict)
    calls: dict[int, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def shares(self) -> list[float]:
        """The probability of each answer; raises ScriptFault where they leave nothing over."""
        return shared_out(self.answers, self.probability, self.order)

    def next_answer(self, prompt: int, count: int) -> int:
        """The number of the answer that this call of a sequence gets."""
        key = prompt if self.per == "prompt" else 0
        with self._lock:
            number = self.calls.get(key, 0)
            self.calls[key] = number + 1
        return min(number, count - 1)

    def count(self, answer: int | None) -> None:
        """A sample whose prompt it fits was drawn: `answer` came, or none."""
        with self._lock:
            self.matched += 1
            if answer is not None:
                self.fired += 1
                self.fired_answers[answer] = self.fired_answers.get(answer, 0) + 1

    def count_unread(self) -> None:
        """A prompt came that cannot be read: its client has another tokenizer."""
        with self._lock:
            self.unread += 1

    def forget(self) -> None:
        """As if nothing had been drawn."""
        self.matched = self.fired = self.unread = 0
        self.fired_answers, self.calls = {}, {}

    def as_json(self) -> dict[str, Any]:
        """What it was told, and how often it fired."""
        counts = [self.fired_answers.get(i, 0) for i in range(max(1, len(self.answers)))]
        shown: dict[str, Any] = {**self.described, "matched": self.matched, "fired": self.fired}
        shown["unread"] = self.unread
        return shown if self.function else {**shown, "fired_answers": counts}


def shared_out(answers: Sequence[Spoken], total: float, order: str) -> list[float]:
    """Probabilities as given; those without one share what `total` leaves by their weights."""
    given = math.fsum(a.probability for a in answers if a.probability is not None)
    weights = math.fsum(a.weight for a in answers if a.probability is None)
    rest = total - given
    if given >= 1.0 or (weights and rest <= 0.0):
        rule = f"the answers' probabilities add up to {given:g}"
        raise ScriptFault(
            "answers", f"{rule}, which leaves nothing over", "Let them add up to less"
        )
    if order == "sequence" and given:
        fix = "Leave it out: every answer comes in its turn"
        raise ScriptFault("answers", "answers of a sequence have no probability", fix)
    return [
        rest * answer.weight / weights if answer.probability is None else answer.probability
        for answer in answers
    ]


def script_of(told: Mapping[str, Any], function: AnswerFunction | None = None) -> Script:
    """A script from its fields, as YAML and the control API have them. Raises ScriptFault."""
    unknown = sorted(told.keys() - {*SCRIPT_KEYS, *ANSWER_KEYS})
    if unknown:
        known = ", ".join((*SCRIPT_KEYS, *ANSWER_KEYS))
        raise ScriptFault(unknown[0], f"unknown key; known: {known}", "Leave it out")
    inline = {key: told[key] for key in ANSWER_KEYS if key in told}
    order, per = told.get("order", "mixture"), told.get("per", "script")
    _one_of("order", order, ORDERS)
    _one_of("per", per, SCOPES)
    probability = _probability(inline) or CERTAINLY
    answers: tuple[Spoken, ...] = ()
    if "answers" in told:
        if inline.keys() - {"probability", "logprob"}:
            name = min(inline.keys() - {"probability", "logprob"})
            raise ScriptFault(name, "stands beside answers", "Put it into one of the answers")
        if not isinstance(told["answers"], Sequence) or isinstance(told["answers"], str):
            raise ScriptFault("answers", "must be a list", "Give a list of answers")
        answers = tuple(
            spoken_of(answer, f"answers[{place}]") for place, answer in enumerate(told["answers"])
        )
    elif function is None:
        rest = {k: v for k, v in inline.items() if k not in ("probability", "logprob", "weight")}
        answers = (spoken_of(rest, ""),)
    if not answers and function is None:
        raise ScriptFault("answers", "must have at least one answer", "Give an answer")
    script = Script(
        model=told.get("model", "*"),
        pattern=told.get("pattern"),
        tokens=tuple(told["pattern_tokens"]) if told.get("pattern_tokens") else None,
        function=function,
        answers=answers,
        probability=probability,
        order=order,
        per=per,
        name=told.get("name", ""),
        described=dict(told),
    )
    _check_patterns(script, told)
    if answers:
        script.shares()
    return script


def _check_patterns(script: Script, told: Mapping[str, Any]) -> None:
    given = [name for name in ("pattern", "pattern_tokens") if told.get(name)]
    if script.function is None and len(given) != 1:
        rule = "says nothing to look for" if not given else "stands beside pattern_tokens"
        raise ScriptFault("pattern", rule, "Give either pattern or pattern_tokens")


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ScriptFault(name, f"is one of {', '.join(known)}, not {value!r}", f"Use {known[0]}")


def spoken_of(told: Any, where: str) -> Spoken:
    """One answer: text, or its fields. Raises ScriptFault."""
    at = f"{where}." if where else ""
    if isinstance(told, str):
        told = {"completion": told}
    if not isinstance(told, Mapping):
        raise ScriptFault(where or "answer", f"is text or a mapping, not {told!r}", "Give text")
    unknown = sorted(told.keys() - set(ANSWER_KEYS))
    if unknown:
        known = ", ".join(ANSWER_KEYS)
        raise ScriptFault(f"{at}{unknown[0]}", f"unknown key; known: {known}", "Leave it out")
    tokens = told.get("completion_tokens")
    text = told.get("completion") or ""
    reasoning, calls = told.get("reasoning") or "", told.get("tool_calls") or ()
    if tokens and (text or reasoning or calls):
        fix = "Give either tokens or text"
        raise ScriptFault(f"{at}completion_tokens", "stands beside an answer in text", fix)
    if not (tokens or text or reasoning or calls):
        fix = "Give completion, completion_tokens, reasoning or tool_calls"
        raise ScriptFault(f"{at}completion", "the answer is empty", fix)
    weight = told.get("weight", 1.0)
    if not _is_number(weight) or weight <= 0:
        raise ScriptFault(f"{at}weight", f"must be above 0, got {weight!r}", "Use 1")
    return Spoken(
        text=str(text),
        reasoning=str(reasoning),
        calls=tuple(_call(call, f"{at}tool_calls[{i}]") for i, call in enumerate(calls)),
        tokens=tuple(tokens) if tokens else None,
        end_turn=bool(told.get("end_turn", True)),
        weight=float(weight),
        probability=_probability(told, at),
    )


def _call(told: Any, where: str) -> Call:
    if not isinstance(told, Mapping) or not isinstance(told.get("name"), str):
        raise ScriptFault(where, "must have a name", "Give name and arguments")
    unknown = sorted(told.keys() - {"name", "arguments"})
    if unknown:
        fault = "unknown key; known: name, arguments"
        raise ScriptFault(f"{where}.{unknown[0]}", fault, "Leave it out")
    arguments = told.get("arguments", {})
    if isinstance(arguments, str):
        try:
            json.loads(arguments)
        except ValueError:
            fix = "Give a mapping, or JSON text"
            raise ScriptFault(f"{where}.arguments", "is no JSON text", fix) from None
        return Call(told["name"], arguments)
    return Call(told["name"], json.dumps(arguments, ensure_ascii=False))


def _probability(told: Mapping[str, Any], at: str = "") -> float | None:
    found = told.get("probability")
    if told.get("logprob") is not None:
        logprob = told["logprob"]
        if found is not None or not _is_number(logprob) or not logprob < 0:
            rule = f"must be below 0, and alone, got {logprob!r}"
            raise ScriptFault(f"{at}logprob", rule, "Use -0.001, without probability")
        found = math.exp(logprob)
    if found is not None and not (_is_number(found) and 0.0 < found < 1.0):
        rule = f"must lie between 0 and 1, got {found!r}"
        raise ScriptFault(f"{at}probability", rule, f"Use {CERTAINLY}")
    return None if found is None else float(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
