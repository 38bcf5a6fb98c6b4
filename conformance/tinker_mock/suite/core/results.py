"""`results.json`: everything a run found out, in the form of `results.schema.json`."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
from jsonschema_rs import Draft202012Validator

from tinker_mock.contracts.ledger import load_ledger
from tinker_mock.suite.core.http import Exchange, Routes
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Status, Verdict

FORMAT = "tinker-mock-results/1"


class ResultsError(ValueError):
    """A results file that cannot be used; the message says which and why."""


@dataclass
class Run:
    """Everything a run found out. `duration` is in seconds."""

    target: Target
    verdicts: list[Verdict] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    blame_suite: list[str] = field(default_factory=list)
    duration: float = 0.0

    @property
    def bad(self) -> list[Verdict]:
        """The verdicts that make the target non-conformant."""
        return [verdict for verdict in self.verdicts if verdict.bad]


def results_of(run: Run, target: Mapping[str, Any], started: str) -> dict[str, Any]:
    """The results document of a run."""
    return document(run.verdicts, target, run.target.seed, started, run.duration, coverage_of(run))


def document(
    verdicts: list[Verdict],
    target: Mapping[str, Any],
    seed: int,
    started: str,
    duration: float,
    coverage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The results document of any list of verdicts. `duration` is in seconds."""
    bad = [verdict for verdict in verdicts if verdict.bad]
    return {
        "format": FORMAT,
        "target": dict(target),
        "seed": seed,
        "started_at": started,
        "duration_s": round(duration, 3),
        "summary": summary(verdicts),
        "conformant": not bad,
        "unfinished": bool(bad) and all(one.status is Status.NOT_JUDGED for one in bad),
        "known": 0,
        "verdicts": [row(verdict) for verdict in verdicts],
        "coverage": dict(coverage or {}),
    }


def verdict_word(results: Mapping[str, Any]) -> str:
    """What a run comes to, in words."""
    if results["conformant"]:
        return "as the baseline" if results.get("known") else "conformant"
    return "not judged to the end" if results.get("unfinished") else "not conformant"


def summary(verdicts: list[Verdict]) -> dict[str, int]:
    """How many verdicts have each status."""
    counted = Counter(verdict.status.value for verdict in verdicts)
    return {status.value: counted[status.value] for status in Status}


def row(verdict: Verdict) -> dict[str, Any]:
    """One verdict's entry; the trace is there for verdicts that are not a pass."""
    rule = verdict.requirement
    return {
        "check": verdict.check,
        "chapter": verdict.check.partition("/")[0],
        "scenario": verdict.scenario,
        "requirement": rule.id,
        "level": rule.level,
        "sdk": str(rule.sdk),
        "text": rule.text,
        "source": rule.source,
        "status": verdict.status.value,
        "message": verdict.message,
        "expected": verdict.expected,
        "actual": verdict.actual,
        "duration_ms": round(verdict.duration_ms, 1),
        "trace": verdict.trace,
        "curl": verdict.curl,
        "cause": verdict.cause,
    }


def schema() -> dict[str, Any]:
    """The published JSON Schema of results."""
    text = (files("tinker_mock.suite.core") / "results.schema.json").read_text("utf-8")
    return dict(json.loads(text))


def write_results(results: Mapping[str, Any], path: Path) -> None:
    """Write a results document; keys in a fixed order, so that equal runs give equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read_results(path: Path) -> dict[str, Any]:
    """A results document from a file; raises ResultsError if it is none."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: not a results file ({error})") from error
    for fault in Draft202012Validator(schema()).iter_errors(value):
        where = "/".join(map(str, fault.instance_path))
        raise ResultsError(f"{path}: /{where}: {fault.message[:200]}")
    return dict(value)


def coverage_of(run: Run) -> dict[str, Any]:
    """Operations with the statuses seen, answer fields seen, and requirements spoken to."""
    statuses: dict[str, set[int]] = {}
    fields: dict[str, set[str]] = {}
    for exchange in run.exchanges:
        if exchange.operation and exchange.status:
            statuses.setdefault(exchange.operation.id, set()).add(exchange.status)
            if 200 <= exchange.status < 300:
                fields.setdefault(exchange.operation.id, set()).update(field_names(exchange))
    known = Routes("tinker").operations
    judged = {v.requirement.id for v in run.verdicts if v.status is not Status.NOT_APPLICABLE}
    ledger = load_ledger()
    return {
        "operations": {name: sorted(statuses.get(name, ())) for name in sorted(known)},
        "fields": {name: sorted(found) for name, found in sorted(fields.items())},
        "requirements": {"judged": len(judged), "known": len(ledger)},
    }


def field_names(exchange: Exchange) -> list[str]:
    """The top-level fields of a JSON answer."""
    if not exchange.response_headers.get("content-type", "").startswith("application/json"):
        return []
    try:
        value = orjson.loads(exchange.response_body)
    except orjson.JSONDecodeError:
        return []
    return list(value) if isinstance(value, dict) else []
