"""Counters and gauges in Prometheus text format 0.0.4."""

from collections import Counter
from collections.abc import Iterable, Mapping

from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.wire.exchange import Answer, Exchange

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = tuple[tuple[str, str], ...]


def family(
    name: str, kind: str, meaning: str, samples: Iterable[tuple[Labels, float]]
) -> list[str]:
    """The lines of one metric."""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
        lines.append(f"{name}{{{pairs}}} {value!r}" if pairs else f"{name} {value!r}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _by(label: str, counts: Mapping[str, int]) -> list[tuple[Labels, float]]:
    return [(((label, key),), float(count)) for key, count in sorted(counts.items())]


async def metrics(control: MockControl, exchange: Exchange) -> Answer:
    state = control.backend.state
    exchanges = [
        ((("operation", op), ("status", status), ("verdict", verdict)), float(count))
        for (op, status, verdict), count in sorted(control.journal.totals.items())
    ]
    promises: Counter[str] = Counter(promise.state for promise in state.promises.values())
    rules = {rule.name: rule.applied for rule in control.scenario.rules}
    steps = {run.id: run.steps for run in state.runs.values()}
    lines = [
        *family("tinker_mock_exchanges_total", "counter", "Exchanges by outcome.", exchanges),
        *family(
            "tinker_mock_exchange_seconds_sum",
            "counter",
            "Time from request to answer on the server's clock.",
            [((("operation", op),), s) for op, s in sorted(control.journal.seconds.items())],
        ),
        *family("tinker_mock_promises", "gauge", "Promises by state.", _by("state", promises)),
        *family(
            "tinker_mock_parked_polls",
            "gauge",
            "Polls that wait right now.",
            [((), float(len(control.parked)))],
        ),
        *family("tinker_mock_rule_applied_total", "counter", "Fault rules.", _by("rule", rules)),
        *family("tinker_mock_model_steps", "gauge", "Optimizer steps.", _by("model", steps)),
        *family(
            "tinker_mock_clock_seconds",
            "gauge",
            "Unix time of the server's clock.",
            [((), control.backend.clock.now())],
        ),
    ]
    return Answer(200, content="\n".join([*lines, ""]).encode(), content_type=CONTENT_TYPE)
