"""The calls that a program says it made, each with the exchanges of the journal that it became."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tinker_mock.suite.client.fields import difference, fields_of, operation_of
from tinker_mock.suite.client.report import Line
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic

PASSES = ("forward", "forward_backward")
ANYTHING = object()


@dataclass
class Made:
    """A reported call and what it became: one exchange, or those that a batch was cut into.

    `nearest` tells, where nothing fits, how the likeliest exchange differs.
    """

    line: Line
    became: list[RecordedExchange] = field(default_factory=list)
    nearest: str = ""

    @property
    def name(self) -> str:
        """The operation and its place among those of its kind."""
        return f"{self.line['operation']} {self.line['number']}"

    @property
    def asked(self) -> dict[str, Any]:
        """Fields of the request, as the contract spells them."""
        return dict(self.line.get("asked") or {})

    @property
    def refused(self) -> bool:
        """Whether the program was told of an error."""
        return "error" in self.line


def calls_made(traffic: Traffic) -> list[Made]:
    """Every reported call, in the program's order. An exchange is what became of one call only."""
    counts: dict[str, int] = {}
    taken: set[int] = set()
    found: list[Made] = []
    for line in traffic.report:
        if line["value"] == "call":
            operation = str(line.get("operation"))
            counts[operation] = counts.get(operation, 0) + 1
            asked = resolved(traffic, found, line.get("asked"))
            made = Made({**line, "number": counts[operation], "asked": asked})
            claim(made, works(traffic, operation, made.refused), taken)
            found.append(made)
    return found


def resolved(traffic: Traffic, made: Sequence[Made], value: Any) -> Any:
    """A request's fields, those filled in that are to be what an earlier call was told.

    `{"told_by": "save_weights_for_sampler 2", "field": "sampling_session_id"}` is such a field;
    what that call was not told may be anything.
    """
    if not isinstance(value, dict):
        return value
    if set(value) != {"told_by", "field"}:
        fields = {name: resolved(traffic, made, inner) for name, inner in value.items()}
        return {name: inner for name, inner in fields.items() if inner is not ANYTHING}
    earlier = next((one for one in made if one.name == value["told_by"]), None)
    told = answer_of(traffic, earlier) if earlier else {}
    return told.get(value["field"]) or ANYTHING


def works(traffic: Traffic, operation: str, refused: bool) -> list[RecordedExchange]:
    """What was asked of an operation, each work once, in the order in which it was meant.

    Of work with a number that was sent again the last time counts; work whose promise is gone is
    none, and a refusal is whatever fits: an answer of 400 and above, or work that failed.
    """
    gone = {one.body.get("request_id") for one in traffic.polls if one.status == 410}
    chosen = [
        one
        for one in traffic.exchanges
        if operation_of(one) == operation
        and (refused or (taken_up(one) and one.answer.get("request_id", "") not in gone))
    ]
    kept = {one.identity if one.ordered else one.entry["number"]: one for one in chosen}
    return sorted(kept.values(), key=lambda one: (one.ordered, place_of(one), one.at))


def taken_up(exchange: RecordedExchange) -> bool:
    """Whether it was answered, a redirect included."""
    return exchange.ok or 300 <= exchange.status < 400


def place_of(exchange: RecordedExchange) -> int:
    """Its place in a model's lane, 0 without one."""
    return int(exchange.body.get("seq_id") or 0) if exchange.ordered else 0


def claim(made: Made, candidates: list[RecordedExchange], taken: set[int]) -> None:
    """Give a call the first exchanges that fit and are nobody's yet."""
    free = [one for one in candidates if one.entry["number"] not in taken]
    cut = made.line["operation"] in PASSES and "data" in made.asked
    for first in range(len(free)):
        pieces = (
            pieces_of(free[first:], len(made.asked["data"])) if cut else free[first : first + 1]
        )
        said = joined(pieces)
        gap = difference(made.asked, said) or difference(
            thinned(made.line.get("usual"), said), said
        )
        if not gap:
            made.became = pieces
            taken |= {one.entry["number"] for one in pieces}
            return
        made.nearest = made.nearest or gap


def thinned(usual: Any, said: Any) -> Any:
    """The usual values of those fields that a request has at all."""
    if isinstance(usual, dict) and isinstance(said, dict):
        there = {name: value for name, value in usual.items() if said.get(name) is not None}
        return {name: thinned(value, said[name]) for name, value in there.items()}
    return usual if usual is not None else {}


def pieces_of(passes: Sequence[RecordedExchange], count: int) -> list[RecordedExchange]:
    """The passes of one model, from the first on, that together have so many data or more."""
    model, found, data = passes[0].body.get("model_id"), [], 0
    for one in passes:
        if data >= count:
            break
        if one.body.get("model_id") == model:
            found.append(one)
            data += len(fields_of(one).get("data") or ())
    return found


def joined(pieces: Sequence[RecordedExchange]) -> dict[str, Any]:
    """The fields of one request, or of a batch that was cut into several."""
    whole = fields_of(pieces[0])
    if len(pieces) > 1:
        whole["data"] = [datum for one in pieces for datum in fields_of(one).get("data") or ()]
    return whole


def answer_of(traffic: Traffic, made: Made) -> dict[str, Any]:
    """What the server told of a call: the answer, its promise's result, or that of all pieces."""
    told = [traffic.result(one) or one.answer for one in made.became]
    if len(told) < 2:
        return told[0] if told else {}
    outputs = [output for one in told for output in one.get("loss_fn_outputs") or ()]
    return {**told[0], "loss_fn_outputs": outputs, "metrics": merged(told)}


def merged(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Metrics of the pieces of a batch put together, those whose reduction is known."""
    counts = [len(one.get("loss_fn_outputs") or ()) for one in results]
    metrics = [one.get("metrics") or {} for one in results]
    found = {}
    for name in set.intersection(*map(set, metrics)):
        values = [float(one[name]) for one in metrics]
        kind = name.rpartition(":")[2]
        if kind == "sum":
            found[name] = sum(values)
        elif kind == "mean":
            weighed = sum(v * count for v, count in zip(values, counts, strict=True))
            found[name] = weighed / max(sum(counts), 1)
        elif kind in ("min", "max"):
            found[name] = min(values) if kind == "min" else max(values)
    return found


def lanes(made: Sequence[Made]) -> dict[str, list[Made]]:
    """The calls that have a place in a model's lane, by the model, in the program's order."""
    found: dict[str, list[Made]] = {}
    for one in made:
        if one.became and one.became[0].ordered:
            found.setdefault(str(one.became[0].body.get("model_id")), []).append(one)
    return found


def unclaimed(traffic: Traffic, made: Sequence[Made]) -> Iterator[RecordedExchange]:
    """Work of the models whose calls the program reports that no call asked for."""
    models = lanes(made)
    claimed = {one.identity for each in made for one in each.became}
    seen: set[tuple[Any, ...]] = set()
    for one in traffic.ordered:
        known = str(one.body.get("model_id")) in models and one.ok
        if known and one.identity not in claimed | seen:
            seen.add(one.identity)
            yield one


def few(texts: Iterator[str], most: int = 3) -> list[str]:
    """The first of many findings."""
    return list(islice(texts, most))
