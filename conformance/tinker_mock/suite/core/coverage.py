"""What a run touched: operations, status codes, fields of answers, requirements."""

from typing import Any

import orjson

from tinker_mock.contracts.ledger import load_ledger
from tinker_mock.suite.core.http import Routes, Sent
from tinker_mock.suite.core.runner import Run
from tinker_mock.suite.core.verdict import Status


def coverage_of(run: Run) -> dict[str, Any]:
    """Operations with the statuses seen, answer fields seen, and requirements spoken to."""
    statuses: dict[str, set[int]] = {}
    fields: dict[str, set[str]] = {}
    for sent in run.sent:
        if sent.operation and sent.status:
            statuses.setdefault(sent.operation.id, set()).add(sent.status)
            if 200 <= sent.status < 300:
                fields.setdefault(sent.operation.id, set()).update(field_names(sent))
    known = Routes("tinker").operations
    judged = {v.requirement.id for v in run.verdicts if v.status is not Status.NOT_APPLICABLE}
    ledger = load_ledger()
    return {
        "operations": {name: sorted(statuses.get(name, ())) for name in sorted(known)},
        "fields": {name: sorted(found) for name, found in sorted(fields.items())},
        "requirements": {"judged": len(judged), "known": len(ledger)},
    }


def field_names(sent: Sent) -> list[str]:
    """The top-level fields of a JSON answer."""
    if not sent.response_headers.get("content-type", "").startswith("application/json"):
        return []
    try:
        value = orjson.loads(sent.response_body)
    except orjson.JSONDecodeError:
        return []
    return list(value) if isinstance(value, dict) else []
